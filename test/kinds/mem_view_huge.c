// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private mappings of shared memory with huge pages (hugetlb): anonymous, memfd, SysV segment.
 * test: breaks=1 skip="test -w /proc/sys/vm/nr_hugepages"
 */
#include "mem_probe.h"
#include "mem_view.h"
#include <linux/magic.h>
#include <sys/shm.h>
#include <sys/vfs.h>

#define HUGE_SIZE (2UL << 20)
#define SIZE (VIEW_PAGES * HUGE_SIZE)
#define POOL 100

static struct view views[3];

static int child(void *arg)
{
	checkpoint_task("child", 0);
	await_task("written");
	for (int i = 0; i < 3; i++) {
		view_check(&views[i], 20);
		view_write(&views[i], 40);
	}
	return 0;
}

static bool is_huge(const struct view *v)
{
	int fd = view_file(v->shared, SIZE);
	struct statfs fs;
	bool yes = fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC;

	close(fd);
	return yes;
}

int main(int argc, char **argv)
{
	char *mem;
	int fd, id, brk;
	pid_t pid;

	test_init(argc, argv);
	need_huge_pages(POOL);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | SHM_HUGETLB | 0600);
	if (mem == MAP_FAILED || fd < 0 || ftruncate(fd, SIZE) || id < 0)
		test_skip("no huge pages");
	view_open(&views[0], "anonymous", HUGE_SIZE, mem, view_file(mem, SIZE));
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	view_open(&views[1], "memfd", HUGE_SIZE, mem, fd);
	mem = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	view_open(&views[2], "segment", HUGE_SIZE, mem, view_file(mem, SIZE));
	pid = fork_task(child, NULL);
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		views[0].private[0]++;
	for (int i = 0; i < 3; i++) {
		check(is_huge(&views[i]), "%s: no huge pages", views[i].name);
		view_check(&views[i], 0);
		view_write(&views[i], 20);
	}
	task_ready("written");
	join_task(pid);
	for (int i = 0; i < 3; i++)
		view_check(&views[i], 40);
	test_done();
}
