// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts on files of a process in proc: a mask, an empty file system, a file made read-only by a bind to itself, a mount on one of those;
 * and one that shows such a file elsewhere.
 * test: flavours=host,pid,nested,user breaks=4 options=--external,mnt[] restore-options=--external,mnt[] ignore=fd/[0-9]+/ino|maps
 */
#include "mounts.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

enum { RUNS = 32, SEEN };
static volatile char *number; /* in shared memory: of the child, in the proc that is mounted here */

static char *of_child(const char *name)
{
	static char paths[8][128];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, 128, "proc/%s/%s", (const char *)number, name);
	return path;
}

static int child(void *arg)
{
	need(!prctl(PR_SET_NAME, "masked"), "name");
	need(readlink("proc/self", (char *)number, 15) > 0, "proc/self: %m");
	checkpoint_task("child", 0);
	number[RUNS] = 1;
	while (!number[SEEN])
		sleep_ms(2);
	return 0;
}

static void bind(const char *from, const char *to)
{
	need(!mount(from, to, NULL, MS_BIND, NULL), "bind %s to %s: %m", from, to);
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	number = map_anon(4096, MAP_SHARED);
	need(!mkdir("proc", 0755) && !mkdir("tmp", 0755), "directories");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		test_skip("no mount namespaces");
	if (mount("proc", "proc", "proc", 0, NULL))
		test_skip("proc cannot be mounted");
	need(!mount("tmp", "tmp", "tmpfs", 0, "size=1m"), "tmpfs: %m");
	write_file("tmp/mask", "masked");
	write_file("tmp/shown", "");
	pid = fork_task(child, NULL);
	await_task("child");
	bind("tmp/mask", of_child("status"));
	need(!mount("fd", of_child("fd"), "tmpfs", 0, "size=64k"), "tmpfs: %m");
	need(!mkdir(of_child("fd/below"), 0755), "mkdir: %m");
	need(!mount("fd", of_child("fd/below"), "tmpfs", MS_NOEXEC, "size=64k"), "tmpfs: %m");
	write_file(of_child("fd/below/file"), "content");
	bind(of_child("comm"), of_child("comm"));
	need(!mount(NULL, of_child("comm"), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "read-only: %m");
	bind(of_child("statm"), "tmp/shown");
	switch (checkpoint_here()) {
	case 1:
		umount2(of_child("status"), MNT_DETACH);
		break;
	case 2:
		umount2(of_child("fd/below"), MNT_DETACH);
		break;
	case 3:
		umount2(of_child("comm"), MNT_DETACH);
		break;
	case 4:
		umount2("tmp/shown", MNT_DETACH);
		break;
	}
	/* In a user namespace nobody may look at its files before it is complete. */
	while (!number[RUNS])
		sleep_ms(2);
	check(is_mount(of_child("status")) && has_text(of_child("status"), "masked"), "mask");
	check(is_mount(of_child("fd")) && is_mount(of_child("fd/below")) &&
		      has_text(of_child("fd/below/file"), "content"),
	      "tmpfs");
	check(is_mount(of_child("comm")) && has_text(of_child("comm"), "masked\n"), "bind");
	check(open(of_child("comm"), O_WRONLY) < 0 && errno == EROFS, "writable");
	check(is_mount("tmp/shown") && read_file("tmp/shown", (char[128]){ 0 }, 128) > 5, "shown elsewhere");
	check(!is_mount(of_child("stat")), "stat");
	number[SEEN] = 1;
	join_task(pid);
	test_done();
}
