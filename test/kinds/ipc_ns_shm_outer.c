// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root of the tree is in an IPC namespace of its own, its child in the tool's: each has a System V segment attached,
 * which is created in its namespace only. That of the child is locked, another one is marked for removal.
 * test: breaks=3
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/shm.h>

#define SIZE 300000

static int outer; /* the namespace that the test was started in */

/* The number of segments of this namespace. */
static int segments(void)
{
	struct shm_info info = { 0 };

	need(shmctl(0, SHM_INFO, (struct shmid_ds *)&info) >= 0, "SHM_INFO");
	return info.used_ids;
}

static char *new_segment(const char *next_id, int key, int *ret_id)
{
	char *p;

	write_file("/proc/sys/kernel/shm_next_id", next_id);
	*ret_id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	p = *ret_id < 0 ? (char *)-1 : shmat(*ret_id, NULL, 0);
	need(p != (char *)-1, "segment");
	return p;
}

static int in_outer(void *arg)
{
	struct shmid_ds ds = { 0 };
	int id, gone, before, locked;
	char *p, *removed;

	need(!shmdt(arg) && !setns(outer, CLONE_NEWIPC), "setns");
	p = new_segment("98311", 0x1234, &id);
	removed = new_segment("98400", IPC_PRIVATE, &gone);
	locked = !shmctl(id, SHM_LOCK, NULL);
	need(!shmctl(gone, IPC_RMID, NULL), "remove");
	fill(p, SIZE, 1);
	fill(removed, SIZE, 2);
	before = segments();
	checkpoint_task("outer", 0);
	if (test_break() == 1)
		p[SIZE - 1]++;
	if (test_break() == 2)
		shmctl(id, SHM_UNLOCK, NULL);
	check(segments() == before, "%d segments", segments());
	check(shmget(0x1234, 0, 0) == id && !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 1, "attached %lu",
	      ds.shm_nattch);
	check(!(ds.shm_perm.mode & SHM_LOCKED) == !locked && (ds.shm_perm.mode & 0777) == 0640, "mode 0%o",
	      ds.shm_perm.mode);
	check(!wrong(p, SIZE, 1) && !wrong(removed, SIZE, 2), "content");
	check(!shmctl(gone, IPC_STAT, &ds) && ds.shm_perm.mode & SHM_DEST && ds.shm_nattch == 1,
	      "mode 0%o, attached %lu", ds.shm_perm.mode, ds.shm_nattch);
	check(!shmdt(removed) && shmctl(gone, IPC_STAT, &ds) < 0, "it exists after its last user");
	shmctl(id, IPC_RMID, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	int id;
	char *p;
	pid_t pid;

	test_init(argc, argv);
	outer = open("/proc/self/ns/ipc", O_RDONLY);
	need(outer >= 0 && !unshare(CLONE_NEWIPC), "unshare");
	p = new_segment("7", 0x4321, &id);
	fill(p, SIZE, 3);
	pid = fork_task(in_outer, p);
	await_task("outer");
	if (checkpoint_here() == 3)
		new_segment("9", IPC_PRIVATE, &(int){ 0 });
	check(segments() == 1, "%d segments in the root's namespace", segments());
	check(shmget(0x4321, 0, 0) == id && !wrong(p, SIZE, 3), "the root's segment");
	join_task(pid);
	test_done();
}
