// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write sharing of parent, child and grandchild is preserved: PSS of the tree within 5 %.
 * test: breaks=1 timeout=60
 */
#include "mem_probe.h"
#include <sys/wait.h>

#define SIZE (48UL << 20)

static char *mem, *late;
static volatile int *done;

static int grandchild(void *arg)
{
	memset(mem + (4UL << 20), 'g', 1 << 20);
	checkpoint_task("grandchild", 0);
	await_task("end");
	check(mem[0] == 'c' && mem[4UL << 20] == 'g' && mem[SIZE - 1] == (char)0x5a, "grandchild's memory");
	return 0;
}

static int child(void *arg)
{
	pid_t pid;

	memset(mem, 'c', 1 << 20);
	munmap(late, SIZE / 2);
	pid = fork_task(grandchild, &pid);
	await_task("grandchild");
	*done = pid;
	checkpoint_task("child", 0);
	if (test_break())
		memset(mem + (10UL << 20), 'x', 20UL << 20);
	task_ready("continue");
	await_task("end");
	check(mem[0] == 'c' && mem[4UL << 20] == (char)0x5a && mem[SIZE - 1] == (char)0x5a, "child's memory");
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	long before, after;
	pid_t pid;

	test_init(argc, argv);
	done = map_anon(4096, MAP_SHARED);
	mem = map_anon(SIZE, MAP_PRIVATE);
	late = map_anon(SIZE, MAP_PRIVATE);
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 0x5a, SIZE);
	memset(late, 0x44, SIZE / 4);
	pid = fork_task(child, NULL);
	await_task("child");
	memset(mem + (8UL << 20), 'p', 1 << 20);
	before = pss(getpid()) + pss(pid) + pss(*done);
	checkpoint_here();
	await_task("continue");
	after = pss(getpid()) + pss(pid) + pss(*done);
	check(labs(after - before) * 20 <= before, "PSS of the tree %ld kB, was %ld kB", after, before);
	check(mem[0] == 0x5a && mem[8UL << 20] == 'p' && mem[(9UL << 20)] == 0x5a && late[0] == 0x44,
	      "parent's memory");
	task_ready("end");
	join_task(pid);
	test_done();
}
