// SPDX-License-Identifier: LGPL-2.1-only
/*
 * What a dead tracer left in a target removes itself, but we may have stopped the target before that has completed; in
 * a stopped process it cannot even start. Threads that we trace can run even then: resume those that are in such code.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl.h"

#define STEP_US 200
#define MAX_STEPS 5000

/* The threads of the process that are occupants; *ret is malloc'ed. */
static int find_occupants(struct compel_ctl *ctl, pid_t tid, pid_t **ret, size_t *ret_nr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ pid_t *occupants = NULL;
	struct dirent *e;
	uint64_t free_ip = 0;
	size_t nr = 0;
	char path[64];
	int err = ctl_read_maps(ctl, tid);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%d/task", tid);
	dir = opendir(path);
	if (!dir)
		return ctl_set_error(ctl, -errno, "cannot open %s", path);
	while ((e = readdir(dir))) {
		pid_t other = atoi(e->d_name), *more;

		if (other <= 0 || !thread_occupies(ctl, other, &free_ip))
			continue;
		more = realloc(occupants, (nr + 1) * sizeof(*occupants));
		if (!more)
			return ctl_set_error(ctl, -ENOMEM, "no memory");
		occupants = more;
		occupants[nr++] = other;
	}
	*ret = steal_ptr(&occupants);
	*ret_nr = nr;
	return 0;
}

/* Resumes all at once: one of them may wait for another. */
static int run_briefly(struct compel_ctl *ctl, const pid_t *tids, size_t nr)
{
	struct compel_stop stop;
	int err = 0;

	for (size_t i = 0; i < nr; i++)
		if (ptrace(PTRACE_CONT, tids[i], NULL, NULL))
			return ctl_set_error(ctl, -errno, "cannot resume thread %d", tids[i]);
	usleep(STEP_US); /* style: the end of a cure raises no event */
	for (size_t i = 0; i < nr; i++) {
		ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL);
		err = compel_wait_stop(tids[i], &stop);
		if (err || stop.state == COMPEL_DEAD)
			return ctl_set_error(ctl, err ? err : -ESRCH, "thread %d did not stop again", tids[i]);
	}
	return 0;
}

int leftovers_finish(struct compel_ctl *ctl, pid_t tid)
{
	for (int step = 0; step < MAX_STEPS; step++) {
		_cleanup_free_ pid_t *occupants = NULL;
		size_t nr = 0;
		int err = find_occupants(ctl, tid, &occupants, &nr);

		if (err || !nr)
			return err;
		err = run_briefly(ctl, occupants, nr);
		if (err)
			return err;
	}
	return ctl_set_error(ctl, -EAGAIN, "process %d is still removing what a dead tracer left in it", tid);
}
