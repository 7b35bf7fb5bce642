/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases of a dump, in order, and the fate of the tree when one of them fails. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include "base/bits.h"
#include "dump/dump.h"
#include "dump/record.h"
#include "image/dedup.h"
#include "image/dir.h"
#include "image/null_store.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "run/guard.h"
#include "run/interrupt.h"
#include "run/notify.h"
#include "run/stream.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* ^C must not leave half a dump behind: dump_interrupted() checks for it between two steps. */
static int watch_signals(struct dump *dump)
{
	sigset_t mask;

	interrupt_signals(&mask);
	dump->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return dump->signal_fd < 0 ? fail(-errno, "signalfd") : 0;
}

static int begin_run(struct dump *dump)
{
	_cleanup_buf_ struct buf uuid = { 0 };
	int err = read_file(proc_root(), "sys/kernel/random/uuid", &uuid);

	if (!err && uuid.len < sizeof(dump->run_id))
		err = -EBADMSG;
	if (err)
		return fail(err, "read /proc/sys/kernel/random/uuid");
	memcpy(dump->run_id, uuid.data, sizeof(dump->run_id) - 1);
	return rights_probe(&dump->rights);
}

static int begin_images(struct dump *dump)
{
	int err = image_store_begin(dump->dir);

	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int open_images(struct dump *dump)
{
	const struct options *opts = dump->opts;
	int err;

	if (opts->stream) {
		err = stream_open_for_dump(opts, dump->signal_fd, &dump->dir);
		if (!err)
			err = begin_images(dump);
		return err ? err : record_open(dump);
	}
	err = image_dir_open_fd(opts->images_dir_fd, &dump->dir);
	return err < 0 ? fail(err, "open the images directory %s", opts->images_dir) : begin_images(dump);
}

/* Images that are never visible. */
static int open_scratch_images(struct dump *dump)
{
	int err = image_null_open(&dump->dir);

	return err < 0 ? fail(err, "check") : begin_images(dump);
}

/* Creating files takes longer than filling them: do it before the tree is frozen. */
static int hold_images(struct dump *dump)
{
	image_store_hold(dump->dir);
	return 0;
}

static int run_pre_dump_scripts(struct dump *dump)
{
	return dump->attempt ? 0 : notify_step(dump->opts, "pre-dump", dump->opts->pid);
}

/* Whoever knows what the tree shares with others can look at it now. An attempt may find other files. */
static int query_externals(struct dump *dump)
{
	return notify_query_externals(dump->opts, dump->opts->pid);
}

/* From here on the log is about a frozen tree. */
static void report_tree(struct dump *dump)
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

static void report_survey(struct dump *dump)
{
	log_info("all of them have been examined");
}

static void report_files(struct dump *dump)
{
	log_info("%u files and descriptors are saved", dump->last_file_id);
}

static void report_save(struct dump *dump)
{
	log_info("processes and memory are saved%s", dump_saves_after_thaw(dump) ? ", or have been copied" : "");
}

/* dump_run_phases() reports them at the end. */
static int refuse_blockers(struct dump *dump)
{
	return dump->blockers.nr ? -EOPNOTSUPP : 0;
}

static int thaw(struct dump *dump)
{
	if (dump->thawed || !dump->freeze_start)
		return 0;
	dump_thaw(dump);
	dump->stats.dump.frozen_time = stats_now() - dump->freeze_start;
	dump->thawed = true;
	log_info("the tree was frozen for %lu.%03lu ms", dump->stats.dump.frozen_time / 1000,
		 dump->stats.dump.frozen_time % 1000);
	return 0;
}

static int notify_kinds_saved(struct dump *dump)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->saved)
			kind->saved(dump);
	return 0;
}

/*
 * What is done to the processes one after the other is done to all of them, or to none; and if the receiver of a stream has it
 * complete, they end, as it restores them.
 */
static int guard_end_of_tree(struct dump *dump)
{
	struct dump_task *dt;
	size_t alive = 0;

	/* Or only when a copy elsewhere has ended. */
	if (dump->opts->lazy_pages)
		return guard_begin(dump);
	if (dump->opts->leave_running)
		return 0;
	dump_for_each_task(dt, dump)
		alive += dt->nr_threads != 0;
	return alive > 1 || dump->opts->stream ? guard_begin(dump) : 0;
}

static int publish_images(struct dump *dump)
{
	int err = image_store_publish(dump->dir);

	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int run_post_dump_scripts(struct dump *dump)
{
	return notify_step(dump->opts, "post-dump", dump->opts->pid);
}

static int commit_images(struct dump *dump)
{
	int err = image_store_commit(dump->dir);

	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	/* A pre-dump may still fail when its stream is complete. */
	return dump_is_pre_dump(dump) ? 0 : record_publish(dump);
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

/* The pipe has nothing that its reader has not taken. */
static bool is_empty(int fd)
{
	int left;

	return !ioctl(fd, FIONREAD, &left) && !left;
}

/* Images that are sent are valid for their receiver from here on: nothing that can fail comes after it. */
static int seal_images(struct dump *dump)
{
	bool guarded = dump->guard && !dump->opts->leave_running;
	int end_fd, err = image_store_send_but_end(dump->dir, &end_fd);

	guarded &= end_fd >= 0;
	if (!err && guarded)
		guard_asks(dump->guard, is_empty, end_fd, dump->opts->leave_stopped ? SIGSTOP : SIGKILL);
	if (!err)
		err = image_store_seal(dump->dir);
	if (err && guarded)
		guard_asks(dump->guard, NULL, -1, 0);
	dump->complete = !err;
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int complete(struct dump *dump)
{
	dump->complete = true;
	return record_commit(dump);
}

static void report_complete(struct dump *dump)
{
	const struct dump_stats *stats = &dump->stats.dump;

	if (stats->pages_skipped_parent)
		log_info("the images are complete: %lu pages, and %lu in the previous images", stats->pages_written,
			 stats->pages_skipped_parent);
	else if (stats->pages_same)
		log_info("the images are complete: %lu pages, %lu more are shared with one of them",
			 stats->pages_written, stats->pages_same);
	else
		log_info("the images are complete: %lu pages", stats->pages_written);
}

static int end_tree(struct dump *dump)
{
	return dump->opts->leave_running || dump->opts->leave_stopped ? 0 : dump_kill(dump);
}

/* The images are complete, and older ones not needed any more: a failure is none of the dump. */
static int dedup_parents(struct dump *dump)
{
	uint64_t bytes = 0;

	if (!dump->opts->auto_dedup || !dump->opts->parent_dir)
		return 0;
	if (image_dedup_parents(dump->dir, &bytes))
		log_warn("--auto-dedup: %s", image_store_error(dump->dir));
	else
		log_info("%lu KiB of older images have been freed", bytes >> 10);
	return 0;
}

/*
 * Our code cannot run in a 32-bit program, nor under filters that cannot be suspended. All other blockers are still reported:
 * those that can be seen from outside, as by a check.
 */
static int find_closed(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		bool foreign = false;

		for (size_t i = 0; i < dt->nr_threads; i++)
			foreign |= dt->threads[i].stop.foreign;
		if (foreign)
			dump_foreign_blocker(dump, dt);
		/* Zombies execute nothing. */
		if ((dt->nr_threads && dump_filtered_blocker(dump, dt)) || foreign)
			dump->mode = DUMP_REFUSAL;
	}
	return 0;
}

/* A row: its name in messages, the modes that include it, and the message on success (not for a check). */
struct phase {
	const char *name;
	unsigned modes;
	int (*run)(struct dump *);
	void (*report)(struct dump *);
};

enum {
	FULL = BIT(DUMP_FULL),
	SHORT = BIT(DUMP_SHORT_FREEZE),
	PRE = BIT(DUMP_PRE_DUMP),
	CHECK = BIT(DUMP_CHECK),
	REFUSAL = BIT(DUMP_REFUSAL),
	FREEZES = FULL | SHORT, /* and everything is saved */
	STOPS = FREEZES | PRE,
	EXAMINES = FREEZES | CHECK | REFUSAL,
	ALL = STOPS | CHECK | REFUSAL,
};

/*
 * In a short freeze the tree is resumed as soon as its memory has been copied; otherwise only when the images are
 * complete, as action scripts may rely on a frozen tree.
 */
static const struct phase phases[] = {
	{ "rights", ALL, begin_run, NULL },
	{ "signals", STOPS, watch_signals, NULL },
	{ "images", STOPS, open_images, NULL },
	{ "hold images", SHORT | PRE, hold_images, NULL },
	{ "scratch images", CHECK, open_scratch_images, NULL },
	{ "previous images", STOPS, memory_track_begin, NULL },
	{ "pre-dump", FREEZES, run_pre_dump_scripts, NULL },
	{ "page server", STOPS, memory_connect_server, NULL },
	{ "kernel memory", STOPS, dump_prepare_kernel_memory, NULL },
	{ "seize", STOPS, dump_seize, report_tree },
	{ "closed programs", STOPS, find_closed, NULL }, /* may continue as a refusal */
	{ "infect", STOPS, dump_infect, NULL },
	{ "survey the tree", CHECK, dump_check_tree, NULL },
	{ "find shared resources", CHECK | REFUSAL, dump_find_shared, NULL },
	{ "pids", ALL, dump_number_tasks, NULL },
	{ "tracking", STOPS, memory_track, NULL },
	{ "mounts", PRE, dump_survey_mounts, NULL },
	{ "survey", EXAMINES, dump_survey, report_survey },
	{ "descriptors", CHECK | REFUSAL, dump_check_fds, NULL },
	{ "external files", FREEZES, query_externals, NULL },
	{ "files", EXAMINES, dump_save_files, report_files },
	{ "namespaces", EXAMINES, dump_save_namespaces, NULL },
	{ "blockers", STOPS | REFUSAL, refuse_blockers, NULL },
	{ "track writes", STOPS, memory_track_start, NULL },
	{ "save", FREEZES, dump_save, NULL },
	{ "scan memory", PRE, dump_pre_dump_scan, NULL },
	{ "blockers", FREEZES, refuse_blockers, report_save },
	{ "shared images", FREEZES, dump_close_shared_images, NULL },
	{ "interrupted", STOPS, dump_interrupted, NULL },
	{ "saved", SHORT, notify_kinds_saved, NULL },
	{ "thaw", SHORT | PRE, thaw, NULL },
	{ "save the rest", FREEZES, dump_save_rest, NULL },
	{ "copy memory", PRE, dump_pre_dump_save, NULL },
	{ "guard", FULL, guard_end_of_tree, NULL },
	{ "publish", STOPS, publish_images, NULL },
	{ "page server", STOPS, memory_finish_server, NULL },
	{ "post-dump", FREEZES, run_post_dump_scripts, NULL },
	{ "lazy pages", FULL, dump_serve_lazy_pages, NULL },
	{ "commit", STOPS, commit_images, NULL },
	{ "kinds", FREEZES, commit_kinds, NULL },
	{ "seal", STOPS, seal_images, NULL },
	{ "complete", STOPS, complete, report_complete },
	{ "tracking", STOPS, memory_track_commit, NULL },
	{ "end the tree", FULL, end_tree, NULL },
	{ "page server", STOPS, memory_tell_server, NULL },
	{ "dedup", STOPS, dedup_parents, NULL },
};

/* ---- the end, on success and on failure ---- */

static bool all_pass_by_themselves(const struct dump *dump)
{
	return dump->blockers.nr == dump->blockers.nr_transient && stats_now() < dump->retry_until;
}

/* Transient blockers do not make the dump fail while there is time: dump_run() starts again. */
static int report_blockers(struct dump *dump)
{
	struct blocker *b;

	if (all_pass_by_themselves(dump)) {
		for (b = dump->blockers.first; b; b = b->next)
			log_info("pid %d (%s): fd %d: %s: the dump starts again", b->pid, b->comm, b->fd, b->text);
		dump->try_again = true;
		return -EOPNOTSUPP;
	}
	dump->try_again = false;
	for (b = dump->blockers.first; b; b = b->next) {
		if (b->fd >= 0)
			log_error("pid %d (%s): fd %d: %s", b->pid, b->comm, b->fd, b->text);
		else if (b->pid)
			log_error("pid %d (%s): %s", b->pid, b->comm, b->text);
		else
			log_error("%s", b->text);
	}
	log_error("the tree of %d cannot be saved: %zu reason%s above; it keeps running", dump->opts->pid,
		  dump->blockers.nr, dump->blockers.nr == 1 ? "" : "s");
	return -EOPNOTSUPP;
}

static void finish(struct dump *dump)
{
	const struct run_kind *kind;

	if (!dump->freeze_start)
		return;
	if (dump->complete && !dump->thawed)
		notify_kinds_saved(dump);
	dump_end_copies(dump);
	thaw(dump);
	if (dump->complete)
		return;
	run_for_each_kind(kind)
		if (kind->save_undo)
			kind->save_undo(dump);
	if (dump->record)
		image_store_abort(dump->record);
	image_store_abort(dump->dir);
}

int dump_run_phases(struct dump *dump)
{
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(phases); i++) {
		const struct phase *phase = &phases[i];

		if (!(phase->modes & BIT(dump->mode)))
			continue;
		dump->phase = phase->name;
		err = phase->run(dump);
		if (!err && phase->report && !dump_is_check(dump))
			phase->report(dump);
	}
	if (dump->mode == DUMP_CHECK)
		return err;
	/* A failure while there are blockers is usually caused by one of them: report them all. */
	if (err && dump->blockers.nr)
		err = report_blockers(dump);
	if (err && dump->elsewhere) {
		log_error("the tree has all of its pages elsewhere, where it continues: it is killed here");
		dump_kill(dump);
	}
	finish(dump);
	return err;
}
