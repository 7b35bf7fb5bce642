// SPDX-License-Identifier: GPL-2.0-only
/*
 * A System V segment of huge pages in an IPC namespace: created by another user, attached by one process; one that is not
 * attached.
 * test: breaks=2 skip="test -w /proc/sys/vm/nr_hugepages"
 */
#include "mem_probe.h"
#include <sched.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define HUGE_SIZE (2UL << 20)
#define SIZE (HUGE_SIZE + 5000) /* two huge pages */

static int as_other(void *arg)
{
	need(!syscall(SYS_setresuid, -1, 33, -1), "ids");
	exit(shmget(0x78, SIZE, IPC_CREAT | IPC_EXCL | SHM_HUGETLB | 0606) < 0);
}

int main(int argc, char **argv)
{
	struct shmid_ds ds;
	char *p, *q;
	int id, detached, status, brk;
	pid_t pid;

	test_init(argc, argv);
	need_huge_pages(64);
	need(!unshare(CLONE_NEWIPC), "unshare");
	id = shmget(0x77, SIZE, IPC_CREAT | IPC_EXCL | SHM_HUGETLB | 0600);
	/* The kernel may not permit huge pages to others. */
	pid = fork_task(as_other, NULL);
	need(waitpid(pid, &status, 0) == pid, "wait");
	detached = status ? shmget(0x78, SIZE, IPC_CREAT | SHM_HUGETLB | 0606) : shmget(0x78, 0, 0);
	p = shmat(id, NULL, 0);
	q = shmat(detached, NULL, 0);
	if (p == (char *)-1 || q == (char *)-1)
		test_skip("no huge pages");
	fill(p, SIZE, 1);
	fill(q, SIZE, 2);
	need(!shmdt(q), "detach");

	brk = checkpoint_here();
	if (brk == 1)
		p[SIZE - 1]++;
	if (brk == 2)
		shmctl(detached, IPC_RMID, NULL);
	check(shmget(0x77, 0, 0) == id && !shmctl(id, IPC_STAT, &ds) && ds.shm_segsz == SIZE && ds.shm_nattch == 1,
	      "%zu bytes, attached %lu", ds.shm_segsz, ds.shm_nattch);
	check(!wrong(p, SIZE, 1), "content");
	check(shmget(0x78, 0, 0) == detached && !shmctl(detached, IPC_STAT, &ds) &&
		      ds.shm_perm.cuid == (status ? 0 : 33),
	      "creator %u", ds.shm_perm.cuid);
	check(status_field(getpid(), "HugetlbPages", 10) == 4096, "the pages are not huge");
	q = shmat(detached, NULL, 0);
	check(q != (char *)-1 && !wrong(q, SIZE, 2) && status_field(getpid(), "HugetlbPages", 10) == 8192,
	      "the detached one");
	test_done();
}
