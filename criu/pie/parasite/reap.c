/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In pie/: no libc, no globals, direct system calls only.
 *
 * A child that we gave the process is taken away again, with the SIGCHLD of its end: all other threads are stopped. Should
 * the tracer die meanwhile, or be that child, the process gets to the end of this all the same.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/wait.h>
#include "base/bits.h"
#include "pie/wire.h"
#include "parasite.h"

#define SIG_CHLD 17

/* siginfo_t: what kill(2) and waitid(2) fill in begins alike. */
struct info {
	int32_t signo, error, code, pad;
	int32_t pid, uid, status;
	uint8_t rest[100];
};

static void send_again(struct info *info)
{
	sys_rt_sigqueueinfo((pid_t)sys_getpid(), SIG_CHLD, info);
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
	/* One that was pending already is not queued twice: it may have stood for another child as well. */
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
	if (got == r->pid)
		take_signal(r->pid);
	return got < 0 ? got : 0;
}
