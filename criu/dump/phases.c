/* SPDX-License-Identifier: GPL-2.0-only */
/* One dump from beginning to end. */
#include "dump/dump.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "image/dir.h"
#include "run/dump.h"
#include "run/guard.h"
#include "run/interrupt.h"
#include "run/notify.h"
#include "util/log.h"

/* A person's ^C must not leave half a dump behind: it is asked for between two steps. */
static int watch_signals(struct dump *dump)
{
	sigset_t mask;

	interrupt_signals(&mask);
	dump->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return dump->signal_fd < 0 ? fail(-errno, "signalfd") : 0;
}

static int open_images(struct dump *dump)
{
	const struct options *opts = dump->opts;
	int err = image_dir_open_fd(opts->images_dir_fd, &dump->dir);

	if (err < 0)
		return fail(err, "open the images directory %s", opts->images_dir);
	err = image_store_begin(dump->dir);
	if (err < 0)
		return fail(err, "%s", image_store_error(dump->dir));
	if (dump_saves_after_thaw(dump))
		image_store_hold(dump->dir);
	return 0;
}

static bool all_pass_by_themselves(const struct dump *dump)
{
	return dump->blockers.nr == dump->blockers.nr_transient && stats_now() < dump->retry_until;
}

/* What passes by itself is no reason to refuse while there is time: dump_run() begins again. */
static int report_blockers(struct dump *dump)
{
	struct blocker *b;

	if (all_pass_by_themselves(dump)) {
		for (b = dump->blockers.first; b; b = b->next)
			log_info("pid %d (%s): fd %d: %s: the dump begins again", b->pid, b->comm, b->fd, b->text);
		dump->try_again = true;
		return -EOPNOTSUPP;
	}
	dump->try_again = false;
	for (b = dump->blockers.first; b; b = b->next) {
		if (b->fd >= 0)
			log_error("pid %d (%s): fd %d: %s", b->pid, b->comm, b->fd, b->text);
		else
			log_error("pid %d (%s): %s", b->pid, b->comm, b->text);
	}
	log_error("the tree of %d cannot be saved: %zu reason%s above; it goes on as before", dump->opts->pid,
		  dump->blockers.nr, dump->blockers.nr == 1 ? "" : "s");
	return -EOPNOTSUPP;
}

/* What the log says is about a tree that stands still from here on. */
static void tell_tree(struct dump *dump)
{
	struct dump_task *dt;

	log_info("%zu processes are frozen", dump->tree.nr_tasks);
	dump_for_each_task(dt, dump)
		log_debug("pid %d (%s): %s, parent %d, %zu threads", dt->t.host_pid, dt->t.comm,
			  dt->t.state == TASK_DEAD    ? "has ended" :
			  dt->t.state == TASK_STOPPED ? "is stopped" :
							"runs",
			  dt->stat.ppid, dt->nr_threads);
}

/* Everything while the tree stands still. */
static int save_frozen(struct dump *dump)
{
	int err = dump_seize(dump);

	if (!err)
		tell_tree(dump);
	if (!err)
		err = dump_infect(dump);
	if (!err)
		err = dump_survey(dump);
	if (!err)
		log_info("all of them have been looked at");
	if (!err)
		err = dump_save_files(dump);
	if (!err)
		log_info("%u files and descriptors are saved", dump->last_file_id);
	/* A failure while there are blockers is one of them, as a rule: name them all. */
	if (dump->blockers.nr)
		return report_blockers(dump);
	if (!err)
		err = dump_save(dump);
	if (dump->blockers.nr)
		return report_blockers(dump);
	if (!err)
		log_info("processes and memory are saved%s",
			 dump_saves_after_thaw(dump) ? ", or have been copied" : "");
	if (!err)
		err = dump_close_shared_images(dump);
	if (!err)
		err = dump_interrupted(dump);
	return err;
}

static void thaw(struct dump *dump, uint64_t start)
{
	if (dump->thawed)
		return;
	dump_thaw(dump);
	dump->stats.dump.frozen_time = stats_now() - start;
	dump->thawed = true;
	log_info("the tree was frozen for %lu.%03lu ms", dump->stats.dump.frozen_time / 1000,
		 dump->stats.dump.frozen_time % 1000);
}

static void tell_saved(struct dump *dump)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->saved)
			kind->saved(dump);
}

/* What is done to its processes one after the other is done to all of them, or to none. */
static int guard_end_of_tree(struct dump *dump)
{
	struct dump_task *dt;
	size_t alive = 0;

	if (dump->opts->leave_running)
		return 0;
	dump_for_each_task(dt, dump)
		alive += dt->nr_threads != 0;
	return alive > 1 ? guard_begin(dump) : 0;
}

static int commit_kinds(struct dump *dump)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->save_commit)
			err = kind->save_commit(dump);
	return err;
}

static void undo_kinds(struct dump *dump)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->save_undo)
			kind->save_undo(dump);
}

static int save_and_release(struct dump *dump)
{
	uint64_t start = stats_now();
	int err = save_frozen(dump);

	/* A script may count on it that nothing moves while it runs. */
	if (!err && dump_saves_after_thaw(dump)) {
		tell_saved(dump);
		thaw(dump, start);
	}
	if (!err)
		err = dump_save_rest(dump);
	if (!err)
		err = guard_end_of_tree(dump);
	if (!err) {
		err = image_store_publish(dump->dir);
		if (err < 0)
			fail(err, "%s", image_store_error(dump->dir));
	}
	if (!err)
		err = notify_step(dump->opts, "post-dump", dump->opts->pid);
	if (!err) {
		err = image_store_commit(dump->dir);
		if (err < 0)
			fail(err, "%s", image_store_error(dump->dir));
	}
	if (!err)
		err = commit_kinds(dump);
	dump->complete = !err;
	if (!err)
		log_info("the images are complete: %lu pages", dump->stats.dump.pages_written);
	if (!err && !dump->opts->leave_running && !dump->opts->leave_stopped)
		err = dump_kill(dump);
	if (dump->complete && !dump->thawed)
		tell_saved(dump);
	thaw(dump, start);
	if (!dump->complete) {
		undo_kinds(dump);
		image_store_abort(dump->dir);
	}
	return err;
}

static void tell_frozen(uint64_t us)
{
	if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "frozen for %lu.%03lu ms\n", us / 1000, us % 1000);
}

/* What several attempts of one dump have in common. */
struct attempts {
	unsigned int nr; /* that have failed so far */
	uint64_t until; /* stats_now(): those that begin later are the last */
	uint64_t frozen_us; /* by those that have failed */
};

/* Without a bound (--timeout 0) what passes by itself gets as long. */
#define RETRY_SEC_DEFAULT 10
/* How long the tree runs before the second attempt, and how often that doubles. */
#define FIRST_PAUSE_MS 2
#define PAUSE_DOUBLINGS 6u

static int dump_once(const struct options *opts, struct attempts *attempts, bool *ret_again)
{
	struct dump *dump = dump_new(opts);
	unsigned int said = log_error_count();
	int err;

	if (!dump)
		return fail(-ENOMEM, "dump");
	dump->mode = opts->leave_running && !notify_wanted(opts) ? DUMP_SHORT_FREEZE : DUMP_FULL;
	dump->attempt = attempts->nr;
	dump->retry_until = attempts->until;
	err = watch_signals(dump);
	if (!err)
		err = open_images(dump);
	if (!err && !attempts->nr)
		err = notify_step(opts, "pre-dump", opts->pid);
	if (!err)
		err = save_and_release(dump);
	attempts->frozen_us += dump->stats.dump.frozen_time;
	dump->stats.dump.frozen_time = attempts->frozen_us;
	if (!err)
		stats_finish_dump(opts, opts->work_dir_fd, &dump->stats.dump);
	if (!err && opts->leave_running)
		tell_frozen(dump->stats.dump.frozen_time);
	*ret_again = err < 0 && dump->try_again && log_error_count() == said;
	/* Whoever fails says why; should one forget it, the person is not left without a word. */
	if (err < 0 && !*ret_again && log_error_count() == said)
		fail(err, "the dump of %d failed", opts->pid);
	if (err < 0 && !*ret_again && attempts->nr && err != -EINTR)
		log_error("the dump of %d was tried %u times (--timeout)", opts->pid, attempts->nr + 1);
	dump_free(dump);
	return err;
}

/* The tree runs for a moment. */
static void pause_before_retry(struct attempts *attempts)
{
	interrupt_wait(FIRST_PAUSE_MS << MIN_OF(attempts->nr, PAUSE_DOUBLINGS));
	attempts->nr++;
}

int dump_run(const struct options *opts)
{
	const uint64_t seconds = opts->timeout_sec ? opts->timeout_sec : RETRY_SEC_DEFAULT;
	struct attempts attempts = { .until = stats_now() + seconds * 1000000 };
	sigset_t old;
	bool again;
	int err;

	interrupt_begin(&old);
	while ((err = dump_once(opts, &attempts, &again)) < 0 && again)
		pause_before_retry(&attempts);
	if (!err && attempts.nr)
		log_info("the dump was begun %u times, until what passes by itself had passed", attempts.nr + 1);
	/* One that came too late to stop it: what was done is what the caller is told. */
	interrupt_end(&old);
	return err;
}
