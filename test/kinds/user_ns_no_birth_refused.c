// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process in a user namespace of its own has a file that it may not open, in a file system without times of creation (ramfs), in a
 * directory where everybody may put another one: a restore could not tell them apart.
 * test: refused="ramfs/secret: its user may not open it, the file system has no times of creation"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static bool has_birth(int fd)
{
	struct statx sx = { 0 };

	return !statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) && sx.stx_mask & STATX_BTIME;
}

static int inside(void *arg)
{
	int file = open("ramfs/secret", O_RDWR | O_CREAT, 0600);

	if (has_birth(file))
		test_skip("ramfs has times of creation");
	need(file >= 0 && !setresuid(500, 500, 500), "user");
	if (unshare(CLONE_NEWUSER))
		test_skip("no user namespaces");
	checkpoint_task("inside", 0);
	check(write(file, "x", 1) == 1, "file");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir("ramfs", 0755) && !mount("none", "ramfs", "ramfs", 0, NULL) && !chmod("ramfs", 0777), "ramfs: %m");
	pid = fork_task(inside, NULL);
	await_task("inside");
	checkpoint_here();
	join_task(pid);
	test_done();
}
