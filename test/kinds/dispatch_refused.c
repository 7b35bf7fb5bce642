// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread with Syscall User Dispatch (PR_SET_SYSCALL_USER_DISPATCH) is refused by name, and keeps working.
 * test: refused='thread.\d+.dispatches.its.system.calls.*PR_SET_SYSCALL_USER_DISPATCH'
 */
#include "checkpoint.h"
#include <sys/prctl.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#define ALLOW 0
#define BLOCK 1

static volatile char selector = ALLOW;
static volatile sig_atomic_t signalled;

static void on_sys(int sig)
{
	selector = ALLOW;
	signalled++;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	signal(SIGSYS, on_sys);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector))
		test_skip("this kernel has no PR_SET_SYSCALL_USER_DISPATCH");
	if (checkpoint_here() == 1)
		need(!prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0), "disable it");
	selector = BLOCK;
	getppid();
	selector = ALLOW;
	check(signalled == 1, "%d signals", (int)signalled);
	test_done();
}
