// SPDX-License-Identifier: GPL-2.0-only
/*
 * System V segments of IPC namespaces: ids with sequence numbers, owners, creators, modes; attached by one process, by two,
 * by none; removed and still attached, in a namespace whose segments go with their last user as well.
 * test: breaks=4 decode=yes
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define SIZE 300000

static char *mem;

static void next_id(const char *id)
{
	write_file("/proc/sys/kernel/shm_next_id", id);
}

static int attacher(void *arg)
{
	checkpoint_task("attacher", 0);
	for (int i = 0; i < 3000 && strcmp(mem, "changed"); i++)
		sleep_ms(1);
	check(!strcmp(mem, "changed"), "it sees %.20s", mem);
	return 0;
}

static int as_other(void *arg)
{
	need(!syscall(SYS_setresgid, 44, 44, 44) && !syscall(SYS_setresuid, 33, 33, 33), "ids");
	need(shmget(0x77, 8192, IPC_CREAT | IPC_EXCL | 0606) >= 0, "segment");
	return 0;
}

/* Its namespace does not keep segments that nobody has attached. */
static int in_other(void *arg)
{
	struct shmid_ds ds = { 0 };
	int id, gone;
	char *p, *q;

	need(!shmdt(mem) && !shmdt(arg) && !unshare(CLONE_NEWIPC), "unshare");
	next_id("50");
	id = shmget(0x1234, 4096, IPC_CREAT | IPC_EXCL | 0600);
	next_id("51"); /* ids are unique in the tree */
	gone = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	p = shmat(id, NULL, 0);
	q = shmat(gone, NULL, 0);
	need(id == 50 && p != (void *)-1 && q != (void *)-1 && !shmctl(gone, IPC_RMID, NULL), "segments");
	strcpy(p, "of the other");
	strcpy(q, "removed");
	write_file("/proc/sys/kernel/shm_rmid_forced", "1");
	checkpoint_task("other", 0);
	if (test_break() == 3)
		write_file("/proc/sys/kernel/shm_rmid_forced", "0");
	check(!strcmp(p, "of the other") && !strcmp(q, "removed"), "content: %s, %s", p, q);
	check(!shmctl(gone, IPC_STAT, &ds) && ds.shm_perm.mode & SHM_DEST && ds.shm_nattch == 1 && !ds.shm_perm.__key,
	      "mode 0%o, attached %lu", ds.shm_perm.mode, ds.shm_nattch);
	check(shmget(0x1234, 0, 0) == id && !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 1, "attached %lu",
	      ds.shm_nattch);
	check(!shmdt(p) && !shmdt(q), "detach");
	check(shmctl(id, IPC_STAT, &ds) < 0 && shmctl(gone, IPC_STAT, &ds) < 0, "they exist after their last user");
	return 0;
}

int main(int argc, char **argv)
{
	struct shmid_ds ds = { 0 };
	char *later, *ro;
	int id, detached, other, brk, locked;
	pid_t pids[2];

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	next_id("98311"); /* sequence number 3, index 7 */
	id = shmget(0x1234, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	detached = shmget(0x4321, SIZE, IPC_CREAT | 0600);
	need(id == 98311 && detached >= 0, "segments %d, %d", id, detached);
	mem = shmat(id, NULL, 0);
	ro = shmat(id, NULL, SHM_RDONLY);
	later = shmat(detached, NULL, 0);
	need(mem != (void *)-1 && ro != (void *)-1 && later != (void *)-1, "attach");
	fill(mem, SIZE, 1);
	fill(later, SIZE, 2);
	need(!shmdt(later), "detach");
	locked = !shmctl(detached, SHM_LOCK, NULL);
	join_task(fork_task(as_other, NULL));
	other = shmget(0x77, 0, 0);
	need(!shmctl(other, IPC_STAT, &ds), "segment");
	ds.shm_perm.uid = 12;
	ds.shm_perm.gid = 34;
	need(!shmctl(other, IPC_SET, &ds), "owner");
	pids[0] = fork_task(attacher, NULL);
	await_task("attacher");
	pids[1] = fork_task(in_other, ro);
	await_task("other");

	brk = checkpoint_here();
	if (brk == 1)
		mem[SIZE - 1]++;
	if (brk == 2)
		shmctl(detached, IPC_RMID, NULL);
	if (brk == 4)
		unshare(CLONE_NEWIPC);

	check(shmget(0x1234, 0, 0) == id && !shmctl(id, IPC_STAT, &ds), "segment");
	/* By two processes, twice. */
	check(ds.shm_segsz == SIZE && ds.shm_perm.mode == 0640 && ds.shm_nattch == 4,
	      "%zu bytes, mode 0%o, attached %lu", ds.shm_segsz, ds.shm_perm.mode, ds.shm_nattch);
	check(!wrong(mem, SIZE, 1) && !wrong(ro, SIZE, 1), "content");
	check(shmget(0x4321, 0, 0) == detached && !shmctl(detached, IPC_STAT, &ds) && !ds.shm_nattch, "detached one");
	check(!(ds.shm_perm.mode & SHM_LOCKED) == !locked, "mode 0%o", ds.shm_perm.mode);
	later = shmat(detached, NULL, SHM_RDONLY);
	check(later != (void *)-1 && !wrong(later, SIZE, 2), "content of the detached one");
	shmdt(later);
	check(shmget(0x77, 0, 0) == other && !shmctl(other, IPC_STAT, &ds), "the other's segment");
	check(ds.shm_perm.uid == 12 && ds.shm_perm.gid == 34 && ds.shm_perm.cuid == 33 && ds.shm_perm.cgid == 44 &&
		      ds.shm_perm.mode == 0606,
	      "owner %u:%u, creator %u:%u", ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid, ds.shm_perm.cgid);
	strcpy(mem, "changed");
	check(!strcmp(ro, "changed"), "the second attachment maps other memory");
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	test_done();
}
