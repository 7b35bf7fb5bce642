/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In pie/: no libc, no globals, direct system calls only.
 *
 * Reaps a child that we have added to the process, and removes its SIGCHLD: all other threads are stopped. If the
 * tracer dies meanwhile, or is that child, the process still gets to the end of this.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/wait.h>
#include "base/bits.h"
#include "pie/wire.h"
#include "parasite.h"

#define SIG_CHLD 17

/* siginfo_t: those of kill(2) and waitid(2) start alike. */
struct info {
	int32_t signo, error, code, pad;
	int32_t pid, uid, status;
	uint8_t rest[100];
};

/* For the process; by the tid: the kernel accepts such a code from others only for themselves, and we may be any thread. */
static void send_again(struct info *info)
{
	sys_rt_sigqueueinfo((pid_t)sys_gettid(), SIG_CHLD, info);
}

static void take_signal(pid_t pid)
{
	const int64_t at_once[2] = { 0, 0 };
	const uint64_t set = BIT(SIG_CHLD - 1);
	struct info info = { 0 };

	if (sys_rt_sigtimedwait(&set, &info, at_once, sizeof(set)) != SIG_CHLD)
		return;
	if (info.pid != pid) {
		send_again(&info);
		return;
	}
	/* A SIGCHLD that was pending is not queued twice: it may have been for another child as well. */
	info.pid = 0;
	if (!sys_call5(__NR_waitid, 0 /* P_ALL */, 0, (long)&info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT,
		       0) &&
	    info.pid)
		send_again(&info);
}

long parasite_reap(const struct parasite_reap *r)
{
	long got;

	do
		got = sys_wait4(r->pid, NULL, __WALL, NULL);
	while (got == -EINTR);
	if (got == r->pid && r->take_signal)
		take_signal(r->pid);
	return got;
}
