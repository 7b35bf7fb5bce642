// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers that wake the machine up, which only capabilities in the initial user namespace allow, of processes that have entered
 * another one since.
 * test: refused="a timer on an alarm clock: to restore it"
 */
#include "checkpoint.h"
#include <sched.h>
#include <signal.h>
#include <time.h>

static int inside(void *arg)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	if (timer_create(CLOCK_BOOTTIME_ALARM, &none, &timer))
		test_skip("no alarm clocks");
	if (unshare(CLONE_NEWUSER))
		test_skip("no user namespaces");
	checkpoint_task("inside", 0);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(inside, NULL);
	await_task("inside");
	checkpoint_here();
	join_task(pid);
	test_done();
}
