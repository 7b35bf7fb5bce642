// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share memory (CLONE_VM), with or without the table of signal handlers: refused by name, for now.
 * test: refused=share.*memory
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

static volatile int said, answered;

static int child(void *arg)
{
	wait_go(0);
	while (said != 1)
		sleep_ms(1);
	answered = 1;
	return signal(SIGUSR1, SIG_DFL) == SIG_IGN ? 3 : 4;
}

int main(int argc, char **argv)
{
	pid_t pids[2];
	int status;

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		char *stack = map_anon(256 << 10, MAP_PRIVATE);

		pids[i] = clone(child, stack + (256 << 10), CLONE_VM | SIGCHLD | (i ? CLONE_SIGHAND : 0), NULL);
		need(pids[i] > 0, "clone");
	}
	sleep_ms(20);
	if (checkpoint_here())
		kill(pids[0], SIGKILL);
	signal(SIGUSR1, SIG_IGN);
	said = 1;
	for (int i = 0; i < 2; i++) {
		check(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) &&
			      WEXITSTATUS(status) == (i ? 3 : 4),
		      "child %d: status %#x", i, status);
	}
	check(answered == 1, "no memory in common");
	test_done();
}
