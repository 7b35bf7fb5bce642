// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumped, changed, dumped again: changes between the rounds are restored, too; children are forked and exit.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/wait.h>

static int child(void *arg)
{
	wait_go(*(int *)arg);
	return 0;
}

int main(int argc, char **argv)
{
	char *mem, *more = NULL, buf[8];
	pid_t pid;
	int p[2];

	test_init(argc, argv);
	mem = map_anon(1 << 20, MAP_PRIVATE);
	need(!pipe(p), "pipe");
	for (int round = 0; round < 3; round++) {
		fill(mem, 1 << 20, (unsigned int)round);
		if (more)
			munmap(more, 65536);
		more = map_anon(65536, MAP_PRIVATE);
		fill(more, 65536, 50U + (unsigned int)round);
		pid = fork_task(child, &round);
		need(write(p[1], "ab", 2) == 2, "write");
		if (checkpoint_here())
			mem[0]++;
		check(!wrong(mem, 1 << 20, (unsigned int)round) && !wrong(more, 65536, 50U + (unsigned int)round),
		      "memory in round %d", round);
		check(read(p[0], buf, 8) == 2, "pipe in round %d", round);
		join_task(pid);
	}
	test_done();
}
