/* SPDX-License-Identifier: GPL-2.0-only */
/* The tool waits for the tasks: as long as they make progress, none of them has died, and no signal asks it to stop. */
#include <errno.h>
#include <sys/wait.h>
#include "kernel/proc_pid.h"
#include "restore/await_tasks.h"
#include "restore/interrupted.h"
#include "restore/restore.h"
#include "restore/turns.h"
#include "run/progress.h"
#include "run/restore.h"
#include "util/log.h"

/* How often the tasks themselves are checked, in case one died silently. */
#define LOOK_MS 200

/* A task that has exited, or a zombie that should not be one, will never be ready. */
static int look_at_tasks(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		_cleanup_proc_ struct proc proc = PROC_CLOSED;
		struct proc_stat stat = { 0 };
		pid_t pid = atomic_load(&r->shared->tasks[rt->t.index].pid), here;

		/* 0: it has not been forked yet. */
		if (pid <= 0 || rt->t.state == TASK_DEAD)
			continue;
		here = restore_number_here(r, pid);
		if (here > 0 && !proc_open(here, &proc) && !proc_stat_read(&proc, &stat) && stat.state != 'Z' &&
		    stat.state != 'X')
			continue;
		if (shared_failed(r->shared))
			return shared_failed(r->shared);
		return fail(-ECHILD, "task %d died while it was restored%s", pid,
			    WIFSIGNALED(stat.exit_code) ? " (by a signal: is its memory larger than this machine's?)" :
							  "");
	}
	return 0;
}

/* How many steps the tasks have done. */
static uint64_t steps_done(const struct restore *r)
{
	uint64_t steps = 0;

	for (int stage = 0; stage < NR_STAGES; stage++)
		steps += shared_reached(r->shared, (enum restore_stage)stage);
	return steps;
}

/* Checking all tasks takes CPU time from them: only when there is no progress, and for a small part of the time. */
static int look_when_due(struct restore *r, uint64_t *steps, uint64_t *due)
{
	uint64_t now = stats_now(), done = steps_done(r);
	int failed = 0;

	if (done == *steps && now >= *due) {
		failed = look_at_tasks(r);
		*due = stats_now() + 20 * (stats_now() - now);
	}
	*steps = done;
	return failed;
}

/* Bytes read by the tasks, for the user's progress line: they have no terminal themselves any more. */
static void report_progress(struct restore *r, uint64_t *reported)
{
	uint64_t bytes = atomic_load(&r->shared->state->counts.bytes);

	if (bytes > *reported)
		progress_add(r->opts->progress, bytes - *reported);
	*reported = bytes;
}

int restore_await_tasks(struct restore *r, enum restore_stage stage)
{
	uint64_t steps = 0, due = 0, reported = 0;
	uint32_t seen = 0;

	while (shared_reached(r->shared, stage) < r->shared->expected[stage]) {
		uint32_t before = seen;
		int failed = shared_wait_event(r->shared, &seen, LOOK_MS);

		report_progress(r, &reported);
		if (!failed)
			failed = restore_serve_turn(r);
		if (!failed && before == seen)
			failed = look_when_due(r, &steps, &due);
		if (!failed && before == seen)
			failed = restore_lazy_look(r);
		if (!failed)
			failed = restore_interrupted();
		if (failed)
			return failed;
	}
	return shared_failed(r->shared);
}
