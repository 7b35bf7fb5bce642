/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore from start to end, as seen by the tool. */
#include "restore/restore.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "image/dir.h"
#include "restore/await_tasks.h"
#include "restore/interrupted.h"
#include "restore/turns.h"
#include "run/interrupt.h"
#include "run/limits.h"
#include "run/outside.h"
#include "run/restore.h"
#include "run/notify.h"
#include "run/progress.h"
#include "run/stream.h"
#include "run/pty.h"
#include "run/untrusted.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"

/* By path, with the remaining rights: a descriptor would only check those to the directory itself. */
static int open_untrusted_images(struct restore *r)
{
	const char *path = r->opts->images_dir;
	/* The descriptor of a caller that is that user has been opened with the user's rights. */
	int err = r->opts->user_is_caller ? image_dir_open_fd(r->opts->images_dir_fd, &r->dir) :
					    image_dir_open(path, &r->dir);

	if (err)
		return fail(err, "open the images directory %s as user %u (--untrusted-images)", path,
			    r->opts->images_user);
	err = image_dir_distrust(r->dir, r->opts->images_user);
	if (!err)
		err = image_store_lock_for_reading(r->dir);
	return err ? fail(err, "%s", image_store_error(r->dir)) : 0;
}

int restore_open_images(struct restore *r)
{
	const struct options *opts = r->opts;
	int err;

	if (r->tool.untrusted)
		return open_untrusted_images(r);
	if (opts->stream)
		return stream_open_for_restore(opts, &r->dir);
	err = image_dir_open_fd(opts->images_dir_fd, &r->dir);
	if (err < 0)
		return fail(err, "open the images directory %s", opts->images_dir);
	err = image_store_lock_for_reading(r->dir);
	return err < 0 ? fail(err, "%s: %s", opts->images_dir, image_store_error(r->dir)) : 0;
}

/* Otherwise no group can vanish before its members have joined it, and nothing must exist before files are opened. */
static bool must_settle(const struct restore_task *rt)
{
	bool must = rt->t.state == TASK_DEAD || rt->leads_for_others;

	for (size_t i = 1; !must && i < rt->nr_threads; i++)
		must = rt->threads[i].early;
	return must;
}

static int count_stages(struct restore *r)
{
	size_t all = r->plan.tree.nr_tasks + r->plan.nr_helpers, alive = 0;
	struct restore_task *rt;
	bool settle = r->plan.nr_helpers || r->plan.all_born_first;
	int err = shared_new(all, r->plan.nr_files, restore_shared_place(r), &r->shared);

	if (err < 0)
		return fail(err, "shared memory");
	r->shared->expected[STAGE_BORN] = r->shared->expected[STAGE_SET_UP] = restore_announces_namespaces(r);
	restore_for_each_task(rt, r) {
		alive += rt->t.state != TASK_DEAD;
		r->shared->expected[STAGE_LEFT] += rt->leads_for_others;
		settle |= must_settle(rt);
	}
	r->shared->expected[STAGE_FORKED] = all;
	r->shared->expected[STAGE_GROUPED] = settle ? all : 0;
	r->shared->expected[STAGE_OPENED] = r->shared->expected[STAGE_FILES] = alive;
	r->shared->expected[STAGE_READY] = alive;
	return 0;
}

/* While the root waits, hooks of container engines connect its network with the host's. */
static int announce_namespaces(struct restore *r)
{
	int err;

	if (!restore_announces_namespaces(r))
		return 0;
	err = restore_await_tasks(r, STAGE_BORN);
	if (!err)
		err = restore_script(r, "setup-namespaces", r->tool.root_pid);
	if (!err)
		err = restore_script(r, "post-setup-namespaces", r->tool.root_pid);
	shared_reach(r->shared, STAGE_SET_UP);
	return err;
}

static int write_pidfile(struct restore *r)
{
	int dir = r->opts->work_dir_fd, err;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", r->tool.root_pid);

	err = output_write(dir, r->opts->pidfile, text, len);
	r->tool.pidfile_written = !err;
	if (err == -EPERM)
		return fail(err, "write the pid file %s: %s", r->opts->pidfile, output_error(err));
	return err < 0 ? fail(err, "write the pid file %s", r->opts->pidfile) : 0;
}

/* Both with the credentials of the user who started us. */
static int leave_pidfile(struct restore *r)
{
	int err, resumed;

	if (!r->opts->pidfile)
		return 0;
	err = untrusted_pause(r);
	if (!err)
		err = pidfile_watch(r, r->opts->work_dir_fd);
	if (!err)
		err = write_pidfile(r);
	resumed = untrusted_resume(r);
	return err ? err : resumed;
}

/* The watcher has those credentials, too: no other user may kill it. */
static void end_watch(struct restore *r)
{
	if (!r->tool.pidfile_watcher.pid || untrusted_pause(r))
		return;
	pidfile_unwatch(r);
	untrusted_resume(r);
}

static void take_back(struct restore *r)
{
	restore_kill_all(r);
	restore_put_last_pid_back(r);
	restore_report_failed(r);
	if (r->tool.pidfile_written && !untrusted_pause(r)) {
		output_remove(r->opts->work_dir_fd, r->opts->pidfile);
		untrusted_resume(r);
	}
}

static void report_running(struct restore *r)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->running)
			kind->running(r);
	/* The tree keeps running whatever it returns. */
	restore_script(r, "post-resume", r->tool.root_pid);
}

static int make_places(struct restore *r)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->prepare)
			err = kind->prepare(r);
	return err;
}

static int connect_namespaces(struct restore *r)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->namespaces_made)
			err = kind->namespaces_made(r);
	return err;
}

static int announce_complete(struct restore *r)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->before_post_restore)
			err = kind->before_post_restore(r);
	return err ? err : restore_script(r, "post-restore", r->tool.root_pid);
}

static int make_tree(struct restore *r)
{
	uint64_t start = stats_now();
	int err = count_stages(r);

	if (!err)
		err = restore_script(r, "pre-restore", 0);
	if (!err)
		err = restore_begin_outside(r);
	if (!err)
		err = restore_lazy_begin(r);
	if (!err)
		err = make_places(r);
	if (!err)
		err = restore_make_namespaces(r);
	if (!err)
		err = connect_namespaces(r);
	if (!err)
		err = restore_lay_blob(r);
	if (!err)
		err = restore_make_inside(r);
	if (!err)
		restore_prepare_forks(r);
	if (!err)
		err = restore_fork_tree(r);
	if (!err)
		log_info("root task %d forked", r->tool.root_pid);
	if (!err)
		err = announce_namespaces(r);
	if (!err)
		err = restore_await_tasks(r, STAGE_READY);
	outside_end(r);
	if (!err)
		err = restore_find_numbers(r);
	if (!err)
		log_info("all descriptors and memory are restored: %lu bytes were read",
			 atomic_load(&r->shared->state->counts.bytes));
	r->stats.restore.forking_time = stats_now() - start;
	if (!err)
		err = leave_pidfile(r);
	if (!err)
		err = announce_complete(r);
	if (!err)
		err = restore_interrupted();
	/* The line is removed before the tree can write there. */
	progress_finish(r->opts->progress);
	if (!err)
		err = restore_commit(r);
	end_watch(r);
	if (err)
		take_back(r);
	else
		log_info("the tree runs");
	/* Without us a namespace ends with its last process. */
	restore_close_namespaces(r);
	image_store_unlock(r->dir);
	if (!err)
		report_running(r);
	return err;
}

static int make_timed(struct restore *r)
{
	int err = make_tree(r);

	r->stats.restore.restore_time = stats_now() - r->tool.began;
	return err;
}

/* The tree runs: with the images, nothing can fail any more. */
static void finish_images(struct restore *r)
{
	restore_dedup(r);
	stats_finish_restore(r->opts, r->opts->work_dir_fd, &r->stats.restore);
}

/* With the rights that the tool does not have afterwards. */
static int make_and_finish(struct restore *r)
{
	int err = make_timed(r);

	if (!err)
		finish_images(r);
	return err;
}

int restore_open_root(struct restore *r)
{
	int fd;

	if (!r->opts->root)
		return 0;
	fd = open_at(AT_FDCWD, r->opts->root, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fail(fd, "open the root directory %s (--root)", r->opts->root);
	r->roots.root = fd;
	return 0;
}

static int load_and_make(struct restore *r)
{
	int err = restore_open_root(r);

	r->tool.began = stats_now();
	if (!err)
		err = untrusted_begin(r);
	if (!err)
		err = rights_probe(&r->tool.rights);
	/* In a user namespace of their own tasks have other rights: restore_load_user_namespaces() */
	r->rights = r->tool.rights;
	if (!err)
		err = restore_open_images(r);
	if (!err)
		err = restore_load(r);
	if (!err)
		err = rights_need(&r->tool.rights, RIGHT_SET_PIDS, "assign pids to the processes");
	if (!err)
		err = restore_link(r);
	if (!err)
		err = restore_verify_images(r);
	if (!err)
		err = arena_seal(&r->arena);
	if (!err)
		err = restore_interrupted();
	if (!err)
		err = restore_move_service_fds(r);
	if (!err)
		err = restore_leave_numbers(r);
	if (err)
		return err;
	if (restore_needs_sibling(r))
		return restore_make_as_sibling(r, make_and_finish, restore_fork_root_inside);
	return make_timed(r);
}

struct restore *restore_new(const struct options *opts)
{
	struct restore *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->opts = opts;
	r->roots = PATH_OWN;
	r->tool.pid_ns = r->tool.maker = r->outside_fd = -1;
	r->lazy.sock = r->lazy.device = r->process.uffd = -1;
	r->tool.own_sid = getsid(0);
	r->tool.own_pgid = getpgrp();
	arena_init_for_forks(&r->arena);
	tree_init(&r->plan.tree);
	list_init(&r->plan.helpers);
	return r;
}

void restore_free(struct restore *r)
{
	restore_close_namespaces(r);
	hash_free(&r->plan.file_by_id);
	hash_free(&r->plan.task_by_pid);
	hash_free(&r->plan.tids);
	hash_free(&r->plan.inner_numbers);
	hash_free(&r->plan.id_owner);
	hash_free(&r->segment_fds);
	hash_free(&r->plan.segments_wanted);
	hash_free(&r->plan.segment_sizes);
	hash_free(&r->plan.segments_checked);
	hash_free(&r->tool.sysv_made);
	restore_close_ptys(r);
	hash_free(&r->roots_by_mount);
	image_store_close(r->dir);
	if (r->tool.pid_ns >= 0)
		close(r->tool.pid_ns);
	if (r->roots.root >= 0)
		close(r->roots.root);
	if (r->lazy.sock >= 0)
		close(r->lazy.sock);
	if (r->lazy.device >= 0)
		close(r->lazy.device);
	shared_free(r->shared);
	arena_free(&r->arena);
	free(r);
}

/* The error of a task that had neither libc nor our log any more. A user may have written there: no escape sequences. */
static void report_restorer(struct restore *r)
{
	struct restorer_error *error = r->shared ? &r->shared->state->error : NULL;
	char text[sizeof(error->text)];

	if (!error || atomic_load(&error->state) != 2)
		return;
	memcpy(text, error->text, sizeof(text));
	text[sizeof(text) - 1] = 0;
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	fail(error->error, "restorer: %s", text);
}

int restore_run(const struct options *opts, struct restore_result *ret)
{
	struct restore *r = restore_new(opts);
	unsigned int said = log_error_count();
	sigset_t was;
	int err, paused;

	if (!r)
		return fail(-ENOMEM, "restore");
	interrupt_begin(&was);
	limits_raise(r->tool.own_limits);
	err = load_and_make(r);
	untrusted_collect_log(r);
	paused = untrusted_pause(r);
	limits_restore(r->tool.own_limits);
	if (!err && !paused && !restore_needs_sibling(r))
		finish_images(r);
	if (!err && !untrusted_resume(r) && !opts->restore_detached)
		err = restore_wait(r, &ret->wait_status);
	untrusted_end(r);
	report_restorer(r);
	/* Whatever fails logs the reason; if it did not, the user still gets a message. */
	if (err < 0 && log_error_count() == said)
		fail(err, "the restore failed");
	/* A signal that arrived too late to stop it: the tree runs, and that is the result for the caller. */
	interrupt_end(&was);
	ret->root_pid = r->tool.root_pid;
	restore_free(r);
	return err;
}
