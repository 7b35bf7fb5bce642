// SPDX-License-Identifier: GPL-2.0-only
/*
 * System V segments: ids (from 0, and one that equals the inode number of an unrelated memfd), keys, modes, content,
 * attached twice, by a child, read-only, only in part, marked for removal, with another
 * owner and another creator.
 * test: flavours=host,ipc,user breaks=2 user-root=host
 */
#include "checkpoint.h"
#include <sys/shm.h>
#include <sys/syscall.h>

#define SIZE 300000

static char *mem;

static int child(void *arg)
{
	checkpoint_task("child", 0);
	for (int i = 0; i < 3000 && strcmp(mem, "changed"); i++)
		sleep_ms(1);
	check(!strcmp(mem, "changed"), "child sees %.20s", mem);
	return 0;
}

/* A segment whose id equals the inode number of a memfd: they must not be mixed up in the images. */
static char *make_twin(char **ret_memfd)
{
	int fd = memfd_create("twin", 0), id;
	char text[32], *p;
	struct stat st;

	need(fd >= 0 && !ftruncate(fd, 4096) && !fstat(fd, &st), "memfd_create: %m");
	*ret_memfd = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	snprintf(text, sizeof(text), "%lu", (unsigned long)st.st_ino);
	write_file("/proc/sys/kernel/shm_next_id", text);
	id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	need(id == (int)st.st_ino, "segment %d, not %s (%m)", id, text);
	p = shmat(id, NULL, 0);
	need(*ret_memfd != MAP_FAILED && p != (void *)-1, "map both");
	strcpy(p, "segment");
	strcpy(*ret_memfd, "memfd");
	return p;
}

static int create_as_other(void *arg)
{
	need(!syscall(SYS_setresgid, 44, 44, 44) && !syscall(SYS_setresuid, 33, 33, 33), "ids");
	need(shmget(0x77, 8192, IPC_CREAT | IPC_EXCL | 0606) >= 0, "segment");
	return 0;
}

/* The credentials of its creator permit access as those of its owner do. */
static int make_of_other(void)
{
	struct shmid_ds ds = { 0 };
	int id;

	join_task(fork_task(create_as_other, NULL));
	id = shmget(0x77, 0, 0);
	need(shmat(id, NULL, 0) != (void *)-1 && !shmctl(id, IPC_STAT, &ds), "the other's segment");
	ds.shm_perm.uid = 12;
	ds.shm_perm.gid = 34;
	need(!shmctl(id, IPC_SET, &ds), "owner");
	return id;
}

static void check_of_other(int id)
{
	struct shmid_ds ds;

	check(shmget(0x77, 0, 0) == id && !shmctl(id, IPC_STAT, &ds), "the other's segment");
	check(ds.shm_perm.uid == 12 && ds.shm_perm.gid == 34 && ds.shm_perm.cuid == 33 && ds.shm_perm.cgid == 44 &&
		      ds.shm_perm.mode == 0606,
	      "owner %u:%u, creator %u:%u, mode 0%o", ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid,
	      ds.shm_perm.cgid, ds.shm_perm.mode);
	shmctl(id, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	int id, removed, detached, again, other, brk;
	char *ro, *gone, *later, *part, *twin, *memfd;
	struct shmid_ds ds;
	pid_t pid;

	test_init(argc, argv);
	id = shmget(0x1234, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	removed = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	detached = shmget(0x4321, 8192, IPC_CREAT | 0606);
	need(id == 0, "the first segment of this namespace is %d", id);
	need(id >= 0 && removed >= 0 && detached >= 0, "shmget");
	mem = shmat(id, NULL, 0);
	ro = shmat(id, NULL, SHM_RDONLY);
	gone = shmat(removed, NULL, 0);
	later = shmat(detached, NULL, 0);
	part = shmat(id, NULL, 0);
	need(part != (void *)-1 && !munmap(part, 4096) && !munmap(part + 73 * 4096, 4096), "unmap both ends");
	/* Another mapping occupies the place of the rest of the segment. */
	need(mmap(part, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == part,
	     "a neighbour");
	strcpy(part, "neighbour");
	need(mem != (void *)-1 && ro != (void *)-1 && gone != (void *)-1 && later != (void *)-1, "shmat");
	fill(mem, SIZE, 1);
	strcpy(gone, "removed");
	strcpy(later, "detached");
	shmctl(removed, IPC_RMID, NULL);
	other = make_of_other();
	twin = make_twin(&memfd);
	pid = fork_task(child, NULL);
	await_task("child");
	brk = checkpoint_here();
	if (brk == 1)
		mem[SIZE - 1]++;
	if (brk == 2)
		shmctl(other, IPC_RMID, NULL);
	check_of_other(other);
	check(!wrong(mem, SIZE, 1) && !wrong(ro, SIZE, 1), "content");
	check(!shmctl(id, IPC_STAT, &ds) && ds.shm_segsz == SIZE && ds.shm_perm.__key == 0x1234 &&
		      (ds.shm_perm.mode & 0777) == 0640 && ds.shm_nattch == 6,
	      "size %zu key %x mode %o attached %lu", ds.shm_segsz, ds.shm_perm.__key, ds.shm_perm.mode, ds.shm_nattch);
	check(!strcmp(part, "neighbour") && !memcmp(part + 4096, mem + 4096, 72 * 4096), "a part of it");
	check(!strcmp(gone, "removed"), "a removed segment: %s", gone);
	check(!strcmp(later, "detached"), "a second segment: %s", later);
	check(!strcmp(twin, "segment") && !strcmp(memfd, "memfd"), "with the same number: %s, %s", twin, memfd);
	again = shmget(0x1234, 0, 0);
	check(again == id, "the key refers to %d, not %d", again, id);
	strcpy(mem, "changed");
	strcpy(mem + 8192, "changed, too");
	check(!strcmp(part + 8192, "changed, too"), "the part maps other memory");
	check(!shmdt(part), "detach the part");
	check(!strcmp(ro, "changed"), "the second attachment maps other memory");
	check(!shmdt(ro) && !shmdt(gone) && !shmdt(later), "detach");
	join_task(pid);
	shmctl(id, IPC_RMID, NULL);
	test_done();
}
