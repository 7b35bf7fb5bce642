// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offsets, flags, O_APPEND, O_PATH, dups, open files shared between tasks, close-on-exec, signal owner.
 * test: flavours=host,container,user,rootless breaks=4 decode=yes user-root=host,container
 */
#include "checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int shared, private_fd;

static int child(void *arg)
{
	checkpoint_task("child", 0);
	await_task("moved");
	check(lseek(shared, 0, SEEK_CUR) == 7, "child sees offset %ld", (long)lseek(shared, 0, SEEK_CUR));
	check(lseek(private_fd, 0, SEEK_CUR) == 2, "private open file moved to %ld",
	      (long)lseek(private_fd, 0, SEEK_CUR));
	return 0;
}

static int reopen_child(void *arg)
{
	private_fd = open("data", O_RDONLY);
	lseek(private_fd, 2, SEEK_SET);
	return child(arg);
}

int main(int argc, char **argv)
{
	int reg, app, path, dup_fd, ro, cloexec, direct, sig, noatime, brk, dir;
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = getpid() }, got;
	char buf[64];
	void *block;
	pid_t pid;

	test_init(argc, argv);
	write_file("data", "0123456789");
	reg = open("data", O_RDWR);
	app = open("data", O_WRONLY | O_APPEND);
	path = open("data", O_PATH);
	ro = open("data", O_RDONLY | O_NONBLOCK);
	cloexec = open("data", O_RDONLY | O_CLOEXEC);
	noatime = open("data", O_RDONLY | O_NOATIME | O_SYNC);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	shared = open("data", O_RDWR);
	dup_fd = dup2(reg, 1500);
	need(reg >= 0 && app >= 0 && path >= 0 && ro >= 0 && cloexec >= 0 && noatime >= 0 && dir >= 0 && shared >= 0,
	     "open");
	need(dup_fd == 1500, "dup2 to 1500");
	direct = open("direct", O_RDWR | O_CREAT | O_DIRECT, 0600);
	lseek(reg, 4, SEEK_SET);
	lseek(ro, 1000000, SEEK_SET);
	lseek(shared, 3, SEEK_SET);
	sig = open("data", O_RDONLY);
	need(!fcntl(sig, F_SETOWN_EX, &owner) && !fcntl(sig, F_SETSIG, SIGRTMIN + 1), "owner");
	pid = fork_task(reopen_child, NULL);
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		lseek(dup_fd, 1, SEEK_CUR);
	if (brk == 2)
		fcntl(app, F_SETFL, 0);
	if (brk == 3)
		fcntl(cloexec, F_SETFD, 0);
	if (brk == 4)
		fcntl(sig, F_SETSIG, 0);

	check(lseek(reg, 0, SEEK_CUR) == 4, "offset %ld", (long)lseek(reg, 0, SEEK_CUR));
	check(lseek(dup_fd, 1, SEEK_CUR) == 5 && lseek(reg, 0, SEEK_CUR) == 5, "the dup has another offset");
	check(fcntl(app, F_GETFL) & O_APPEND && (fcntl(app, F_GETFL) & O_ACCMODE) == O_WRONLY, "flags %#x",
	      fcntl(app, F_GETFL));
	check(write(app, "+", 1) == 1 && lseek(app, 0, SEEK_CUR) == 11, "append goes to the end");
	check(fcntl(path, F_GETFL) & O_PATH && read(path, buf, 1) < 0 && errno == EBADF, "O_PATH");
	check(lseek(ro, 0, SEEK_CUR) == 1000000 && fcntl(ro, F_GETFL) & O_NONBLOCK, "offset beyond the end");
	check(fcntl(cloexec, F_GETFD) == FD_CLOEXEC && fcntl(reg, F_GETFD) == 0, "close on exec");
	check(fcntl(noatime, F_GETFL) & O_NOATIME && (fcntl(noatime, F_GETFL) & O_SYNC) == O_SYNC, "flags %#x",
	      fcntl(noatime, F_GETFL));
	check(fcntl(dir, F_GETFL) & O_DIRECTORY && !faccessat(dir, "data", R_OK, 0), "directory");
	check(fcntl(sig, F_GETSIG) == SIGRTMIN + 1, "signal %d", fcntl(sig, F_GETSIG));
	check(!fcntl(sig, F_GETOWN_EX, &got) && got.type == F_OWNER_TID && got.pid == getpid(), "owner %d %d", got.type,
	      got.pid);
	if (direct >= 0) {
		check(fcntl(direct, F_GETFL) & O_DIRECT, "O_DIRECT");
		block = aligned_alloc(4096, 4096);
		memset(block, 'd', 4096);
		check(write(direct, block, 4096) == 4096, "direct write");
	}
	check(lseek(shared, 0, SEEK_CUR) == 3, "shared offset");
	lseek(shared, 7, SEEK_SET);
	task_ready("moved");
	join_task(pid);
	test_done();
}
