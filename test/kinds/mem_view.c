// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private mappings of shared memory: an unwritten page follows the changes of the shared mapping, also in a child that
 * inherited both. Anonymous memory, memfd, SysV segments, /dev/zero, files on tmpfs and elsewhere.
 * test: breaks=2
 */
#include "mem_view.h"
#include <sys/shm.h>

#define PAGE 4096UL
#define SIZE (VIEW_PAGES * PAGE)

static struct view views[16];
static int nr_views;

static void add(const char *name, char *shared, int fd)
{
	view_open(&views[nr_views++], name, PAGE, shared, fd);
}

static void add_fd(const char *name, int fd)
{
	need(fd >= 0 && !ftruncate(fd, SIZE), "%s: %m", name);
	add(name, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), fd);
}

static void add_file(const char *name, const char *path, bool unlinked)
{
	add_fd(name, open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (unlinked)
		unlink(path);
}

static int add_segment(const char *name, int key)
{
	int id = shmget(key, SIZE, IPC_CREAT | 0600);
	char *mem = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);

	add(name, mem, view_file(mem, SIZE));
	return id;
}

static int child(void *arg)
{
	checkpoint_task("child", 0);
	await_task("written");
	for (int i = 0; i < nr_views; i++) {
		view_check(&views[i], 20);
		view_write(&views[i], 40);
	}
	return 0;
}

int main(int argc, char **argv)
{
	char *mem, in_shm[64];
	int brk, first, second, zero;
	pid_t pid;

	test_init(argc, argv);
	mem = map_anon(SIZE, MAP_SHARED);
	add("anonymous", mem, view_file(mem, SIZE));
	add_fd("memfd", memfd_create("views", MFD_CLOEXEC));
	add_fd("memfd called as anonymous memory is", memfd_create("/dev/zero", MFD_CLOEXEC));
	first = add_segment("segment", IPC_PRIVATE);
	second = add_segment("segment with a key", 0x77);
	zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
	add("/dev/zero", mem, view_file(mem, SIZE));
	close(zero);
	add_file("file", "file", false);
	add_file("unlinked file", "unlinked", true);
	strcpy(in_shm, "/dev/shm/mem_view.XXXXXX");
	add_fd("file of tmpfs", mkstemp(in_shm));
	strcat(in_shm, ".unlinked");
	add_file("unlinked file of tmpfs", in_shm, true);
	shmctl(first, IPC_RMID, NULL);
	pid = fork_task(child, NULL);
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		views[0].private[0]++;
	if (brk == 2)
		views[3].private[PAGE]++;
	for (int i = 0; i < nr_views; i++) {
		view_check(&views[i], 0);
		view_write(&views[i], 20);
	}
	task_ready("written");
	join_task(pid);
	for (int i = 0; i < nr_views; i++)
		view_check(&views[i], 40);
	check(!shmdt(views[3].shared) && !shmdt(views[4].shared), "detach the segments");
	shmctl(second, IPC_RMID, NULL);
	in_shm[strlen(in_shm) - strlen(".unlinked")] = 0;
	unlink(in_shm);
	test_done();
}
