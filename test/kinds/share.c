// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share their descriptor table (CLONE_FILES) or cwd and umask (CLONE_FS), or both.
 * test: breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int shared_fd;

static int child(unsigned long flags, const char *name)
{
	char cwd[4096];
	mode_t mask;
	bool open_now;

	checkpoint_task(name, 0);
	await_task("changed");
	open_now = fcntl(1234, F_GETFD) >= 0;
	check(open_now == !!(flags & CLONE_FILES), "%s: %s the new descriptor", name, open_now ? "sees" : "misses");
	check(fcntl(shared_fd, F_GETFD) < 0 || !(flags & CLONE_FILES), "%s: sees the closed descriptor", name);
	check(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/tmp") == !!(flags & CLONE_FS), "%s: cwd %s", name, cwd);
	mask = umask(0);
	umask(mask);
	check((mask == 0111) == !!(flags & CLONE_FS), "%s: umask %o", name, mask);
	return 0;
}

static pid_t share(unsigned long flags, const char *name)
{
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);

	need(pid >= 0, "clone");
	if (!pid)
		_exit(child(flags, name));
	await_task(name);
	return pid;
}

int main(int argc, char **argv)
{
	pid_t pids[4];

	test_init(argc, argv);
	umask(022);
	shared_fd = dup2(0, 77); /* a number that is not reused by others */
	pids[0] = share(CLONE_FILES, "files");
	pids[1] = share(CLONE_FS, "fs");
	pids[2] = share(CLONE_FS | CLONE_FILES, "both");
	pids[3] = share(0, "nothing");
	switch (checkpoint_here()) {
	case 1:
		unshare(CLONE_FILES);
		break;
	case 2:
		unshare(CLONE_FS);
	}
	close(shared_fd);
	check(dup2(0, 1234) == 1234, "dup2");
	check(!chdir("/tmp"), "chdir");
	umask(0111);
	task_ready("changed");
	for (int i = 0; i < 4; i++)
		join_task(pids[i]);
	test_done();
}
