// SPDX-License-Identifier: GPL-2.0-only
/*
 * hugetlb: anonymous, private and shared with a child, memfd.
 * test: breaks=1 skip="test -w /proc/sys/vm/nr_hugepages" user-root=host
 */
#include "mem_probe.h"

#define HUGE_SIZE (2UL << 20)
#define POOL 64

static char *shared;

static int child(void *arg)
{
	checkpoint_task("child", 0);
	await_task("changed");
	check(!strcmp(shared, "changed"), "child sees %.20s", shared);
	return 0;
}

int main(int argc, char **argv)
{
	char *priv, *mem;
	pid_t pid;
	int fd;

	test_init(argc, argv);
	need_huge_pages(POOL);
	priv = mmap(NULL, 2 * HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	shared = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	fd = memfd_create("huge", MFD_HUGETLB);
	if (priv == MAP_FAILED || shared == MAP_FAILED || fd < 0 || ftruncate(fd, HUGE_SIZE))
		test_skip("no huge pages");
	mem = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		test_skip("no huge pages");
	fill(priv, HUGE_SIZE, 1);
	fill(shared, HUGE_SIZE, 2);
	fill(mem, HUGE_SIZE, 3);
	pid = fork_task(child, NULL);
	await_task("child");
	if (checkpoint_here())
		priv[100]++;
	check(!wrong(priv, HUGE_SIZE, 1) && !priv[HUGE_SIZE], "private");
	check(!wrong(shared, HUGE_SIZE, 2), "shared");
	check(!wrong(mem, HUGE_SIZE, 3), "memfd");
	strcpy(shared, "changed");
	task_ready("changed");
	join_task(pid);
	test_done();
}
