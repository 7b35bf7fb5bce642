/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel shows of stopped threads before any code of ours runs in them. */
#include <string.h>
#include <errno.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

/* The directory of a thread is needed only for a call that would be continued. */
static int find_timed_call(struct dump *dump, const struct dump_task *dt, struct dump_thread *th)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	unsigned long args[6];
	int err;

	if (!compel_is_continued(&th->snapshot, args))
		return 0;
	err = proc_open_thread(&dt->proc, th->id.host_tid, &proc);
	if (!err)
		dump_find_timed_call(dump, th, proc.dir);
	return err;
}

static int look(struct dump *dump, const struct dump_task *dt, struct dump_thread *th)
{
	const struct proc_status *s = &th->status;
	const struct compel_status status = {
		.pending = s->sig_pending | s->shared_pending,
		.ignored = s->sig_ignored,
		.caught = s->sig_caught,
		.seccomp = (int)s->seccomp,
		.cpu = th->stat.processor,
	};
	int err = compel_inspect(th->id.host_tid, &status, &th->snapshot);

	if (!err)
		err = find_timed_call(dump, dt, th);
	if (!err)
		err = compel_snapshot_for_image(th->id.host_tid, &th->snapshot, &th->cpu);
	if (err == -EAGAIN)
		return err; /* in code that a dumper that died left there */
	if (err < 0)
		return fail(err, "read the registers of %d", th->id.host_tid);
	dump_settle_timed_call(th);
	return 0;
}

/*
 * For a single-threaded process the files of the process have the same contents, and its stat has been read since it
 * stopped.
 */
static int read_only_thread(struct dump *dump, struct dump_task *dt, struct dump_thread *th)
{
	int err = proc_status_read(&dt->proc, &th->status);

	if (err < 0)
		return fail(err, "read /proc/%d/status", dt->t.host_pid);
	th->stat = dt->stat;
	return look(dump, dt, th);
}

/* 1: a worker, of which no more is read. */
static int read_one_of_many(struct dump *dump, struct dump_task *dt, struct dump_thread *th)
{
	int err = proc_thread_stat_read(&dt->proc, th->id.host_tid, &th->stat);

	if (!err && dump_is_worker(&th->stat))
		return 1;
	if (!err)
		err = proc_thread_status_read(&dt->proc, th->id.host_tid, &th->status);
	/*
	 * It was another task's tid already when it was seized. That one has been counted as a thread of this process, so
	 * list_threads() may have missed a new thread of it.
	 */
	if (err == -ENOENT || err == -ESRCH)
		return dump_try_again(dump, -ESRCH, "task %d is not a thread of process %d any more", th->id.host_tid,
				      dt->t.host_pid);
	if (err < 0)
		return fail(err, "read /proc/%d/task/%d", dt->t.host_pid, th->id.host_tid);
	return look(dump, dt, th);
}

/* 1 as above. */
static int read_thread(struct dump *dump, struct dump_task *dt, struct dump_thread *th)
{
	const bool only = dt->nr_threads == 1 && dt->stat.threads == 1 && !th->stand_in;
	int err = only ? read_only_thread(dump, dt, th) : read_one_of_many(dump, dt, th);

	return err ? err : dump_read_robust_list(th);
}

/* Workers continue while the program is stopped: their requests are in flight, and kinds wait for them. */
static void resume_worker(struct dump_task *dt, size_t i)
{
	struct dump_thread *th = &dt->threads[i];

	compel_detach(th->id.host_tid, &th->stop);
	dt->nr_threads--;
	memmove(th, th + 1, (dt->nr_threads - i) * sizeof(*th));
}

int dump_read_threads(struct dump *dump, struct dump_task *dt)
{
	int err = 0;

	for (size_t i = 0; err >= 0 && i < dt->nr_threads; i++) {
		err = read_thread(dump, dt, &dt->threads[i]);
		if (err == 1)
			resume_worker(dt, i--);
	}
	if (err < 0)
		return err;
	/* The status of the first thread also contains the state of the process. */
	dt->status = dt->threads[0].status;
	dt->status.groups = (struct gid_array){ 0 };
	return 0;
}
