/* SPDX-License-Identifier: LGPL-2.1-only */
/* Puts a stopped process into a group stop without running it: as SIGSTOP does, but other signals remain pending. */
#include <compel/compel.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "target.h"

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

/* Until the thread reports the group stop itself; the signal's delivery comes before it. */
static int into_stop(pid_t tid, int stop_sig)
{
	int sig = 0, status, err;

	for (;;) {
		if (ptrace(PTRACE_CONT, tid, 0, sig) < 0)
			return -errno;
		err = target_wait(tid, &status);
		if (err)
			return err;
		if (!WIFSTOPPED(status))
			return -ECHILD;
		if (status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == stop_sig)
			return 0;
		/*
		 * SIGSTOP was sent, since it can be neither blocked nor ignored; the requested signal is delivered
		 * instead.
		 */
		sig = status >> 16 ? 0 : stop_sig;
	}
}

static int set_masks(const pid_t *tids, size_t nr, int sig, uint64_t *masks, bool restore)
{
	const uint64_t all = ~(1ull << (sig - 1));

	for (size_t i = 0; i < nr; i++) {
		if (!restore && ptrace(PTRACE_GETSIGMASK, tids[i], sizeof(masks[i]), &masks[i]) < 0)
			return -errno;
		if (ptrace(PTRACE_SETSIGMASK, tids[i], sizeof(all), restore ? &masks[i] : &all) < 0)
			return -errno;
	}
	return 0;
}

int compel_group_stop(const pid_t *tids, size_t nr, int sig)
{
	uint64_t *masks = calloc(nr, sizeof(*masks));
	int err, undone;

	if (!masks)
		return -ENOMEM;
	/* No other signal may be delivered first: the first instruction of its handler would be executed. */
	err = set_masks(tids, nr, sig, masks, false);
	if (!err && kill(tids[0], SIGSTOP) < 0)
		err = -errno;
	for (size_t i = 0; !err && i < nr; i++)
		err = into_stop(tids[i], sig);
	undone = set_masks(tids, nr, sig, masks, true);
	free(masks);
	return err ? err : undone;
}
