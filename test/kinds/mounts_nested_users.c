// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount namespaces that belong to different user namespaces, in which ids have other numbers: that of the root, one in that, and one
 * in that again. Each has a tmpfs of its own, and sees that of the root, with files of
 * users that it knows, and of others.
 * test: flavours=host,user breaks=4 options=--external,mnt[] restore-options=--external,mnt[] ignore=fd/[0-9]+/ino|maps
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define UNMAPPED 65534u

static int maps[2]; /* eventfds: to be written, written */
static char *number; /* in shared memory: of whom */

static void signal_fd(int fd)
{
	need(write(fd, &(uint64_t){ 1 }, 8) == 8, "eventfd");
}

static void take(int fd)
{
	uint64_t n;

	need(read(fd, &n, sizeof(n)) == sizeof(n), "eventfd");
}

/* The maps are written by the process around it. */
static void enter(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	need(readlink("/proc/self", number, 15) > 0, "/proc/self");
	signal_fd(maps[0]);
	take(maps[1]);
	need(!setresgid(0, 0, 0) && !setresuid(0, 0, 0), "root: %m");
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts: %m");
}

static void map(const char *text)
{
	char path[64];

	take(maps[0]);
	for (int group = 0; group < 2; group++) {
		snprintf(path, sizeof(path), "/proc/%s/%cid_map", number, group ? 'g' : 'u');
		write_file(path, text);
	}
	signal_fd(maps[1]);
}

static void make(const char *path, unsigned uid, unsigned gid)
{
	write_file(path, path);
	need(!chown(path, uid, gid) && !chmod(path, 0640), "%s: %m", path);
}

static void verify(const char *who, const char *path, unsigned uid, unsigned gid)
{
	struct stat st = { 0 };

	check(!stat(path, &st) && st.st_uid == uid && st.st_gid == gid, "%s: %s is of %u:%u, not %u:%u", who, path,
	      st.st_uid, st.st_gid, uid, gid);
}

static int innermost(void *arg)
{
	need(!chdir(test_dir()), "directory");
	enter();
	need(!mount("none", "own", "tmpfs", 0, "size=1m,uid=7,gid=0"), "tmpfs: %m");
	make("own/third", 5, 7);
	checkpoint_task("innermost", 0);
	if (test_break() == 3)
		need(!chown("own/third", 6, 7), "chown");
	verify("innermost", "own", 7, 0);
	verify("innermost", "own/third", 5, 7);
	verify("innermost", "shown/root", UNMAPPED, UNMAPPED);
	verify("innermost", "shown/inner", 5, 0);
	/* It may change what is its own. */
	check(!chown("own/third", 0, 0) && !mount("none", "own", "tmpfs", 0, NULL), "its own: %m");
	return 0;
}

static int inside(void *arg)
{
	pid_t pid;

	enter();
	need(!mount("none", "own", "tmpfs", 0, "size=1m,uid=0,gid=6"), "tmpfs: %m");
	make("own/second", 4, 6);
	pid = fork_task(innermost, NULL);
	map("0 3 1\n5 10 5\n");
	await_task("innermost");
	checkpoint_task("inside", 0);
	if (test_break() == 2)
		need(!chown("own/second", 4, 7), "chown");
	verify("inside", "own", 0, 6);
	verify("inside", "own/second", 4, 6);
	verify("inside", "shown/root", UNMAPPED, UNMAPPED);
	verify("inside", "shown/inner", 10, 3);
	check(!chown("own/second", 0, 0), "its own: %m");
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	number = map_anon(4096, MAP_SHARED);
	for (int i = 0; i < 2; i++)
		maps[i] = eventfd(0, EFD_SEMAPHORE);
	need(!mkdir("own", 0755) && !mkdir("shown", 0755), "directories: %m");
	chmod(".", 0777);
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount namespace: %m");
	need(!mount("none", "shown", "tmpfs", 0, "size=1m,mode=777"), "tmpfs: %m");
	make("shown/root", 7, 4711);
	make("shown/inner", 110, 103);
	pid = fork_task(inside, NULL);
	map("0 500 1\n1 101 50\n");
	await_task("inside");
	checkpoint_here();
	if (test_break() == 1)
		need(!chown("shown/inner", 110, 104), "chown");
	if (test_break() == 4)
		umount2("shown", MNT_DETACH);
	verify("root", "shown/root", 7, 4711);
	verify("root", "shown/inner", 110, 103);
	verify("root", "own", 0, 0);
	join_task(pid);
	test_done();
}
