// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process in a user namespace of its own, as `unshare -Urmi` of an ordinary user makes it: with a mount namespace, in which it has a tmpfs, and an IPC
 * namespace with a queue. Both belong to its user namespace, in which ids have other numbers than outside.
 * test: flavours=host,user breaks=4 options=--external,mnt[] restore-options=--external,mnt[] ignore=fd/[0-9]+/ino|maps
 */
#include "checkpoint.h"
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>

static ino_t inode(int fd)
{
	struct stat st = { 0 };

	fstat(fd, &st);
	close(fd);
	return st.st_ino;
}

static bool is_owned(const char *name)
{
	char path[64];
	int fd, owner;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	owner = ioctl(fd, NS_GET_USERNS);
	close(fd);
	return owner >= 0 && inode(owner) == inode(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
}

static void enter(void)
{
	need(!mkdir("tmpfs", 0755), "tmpfs");
	chmod(".", 0777);
	need(!setresgid(600, 600, 600) && !setresuid(500, 500, 500), "ids");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 500 1");
	write_file("/proc/self/gid_map", "6 600 1");
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts: %m");
}

static int inside(void *arg)
{
	struct msqid_ds queue = { 0 };
	struct stat st = { 0 };
	char text[8] = "";
	int file;

	enter();
	need(!mount("none", "tmpfs", "tmpfs", MS_NOEXEC, "size=1m,uid=0,gid=6"), "tmpfs: %m");
	write_file("tmpfs/kept", "kept");
	file = open("tmpfs/kept", O_RDWR);
	need(file >= 0 && !chdir("tmpfs") && msgget(5, IPC_CREAT | 0600) >= 0, "file, queue");
	checkpoint_task("inside", 0);
	if (test_break() == 1)
		need(!umount2(".", MNT_DETACH) && !chdir("/"), "umount");
	if (test_break() == 2)
		write_file("kept", "lost");
	if (test_break() == 3)
		need(!msgctl(msgget(5, 0), IPC_RMID, NULL), "queue");
	if (test_break() == 4)
		need(!unshare(CLONE_NEWUSER), "unshare");
	read_file("kept", text, sizeof(text));
	check(!strcmp(text, "kept") && !stat("kept", &st) && !st.st_uid && st.st_gid == 6, "file of %u:%u: %s",
	      st.st_uid, st.st_gid, text);
	check(!stat(".", &st) && !st.st_uid && st.st_gid == 6, "tmpfs of %u:%u", st.st_uid, st.st_gid);
	check(!msgctl(msgget(5, 0), IPC_STAT, &queue) && !queue.msg_perm.uid && queue.msg_perm.cgid == 6,
	      "queue of %u:%u", queue.msg_perm.uid, queue.msg_perm.cgid);
	check(pread(file, text, 4, 0) == 4 && !strcmp(text, "kept"), "descriptor: %s", text);
	check(is_owned("mnt") && is_owned("ipc"), "its namespaces belong to another user namespace");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(inside, NULL);
	await_task("inside");
	checkpoint_here();
	join_task(pid);
	test_done();
}
