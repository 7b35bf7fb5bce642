// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that wait for a lock keep waiting, and get it when its holder releases it.
 * test: options=--file-locks restore-options=--file-locks
 */
#include "checkpoint.h"
#include <sys/file.h>
#include <sys/syscall.h>

static int order;

static int wait_posix(void *arg)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = 3, .l_len = 4 };
	int fd = open("posix", O_RDWR);

	check(!fcntl(fd, F_SETLKW, &l), "F_SETLKW: %s", strerror(errno));
	check(access("released", F_OK) == 0, "before it was released");
	return 0;
}

static int wait_ofd(void *arg)
{
	struct flock l = { .l_type = F_RDLCK, .l_start = 3, .l_len = 4 };
	int fd = open("posix", O_RDWR);

	check(!fcntl(fd, F_OFD_SETLKW, &l), "F_OFD_SETLKW: %s", strerror(errno));
	check(access("released", F_OK) == 0, "before it was released");
	return 0;
}

static int wait_flock(void *arg)
{
	int fd = open("flock", O_RDWR);

	check(!flock(fd, LOCK_EX), "flock: %s", strerror(errno));
	check(access("released", F_OK) == 0, "before it was released");
	return 0;
}

int main(int argc, char **argv)
{
	struct flock l = { .l_type = F_WRLCK };
	int posix, plain;
	pid_t kids[3];

	test_init(argc, argv);
	posix = open("posix", O_RDWR | O_CREAT, 0600);
	plain = open("flock", O_RDWR | O_CREAT, 0600);
	need(!fcntl(posix, F_SETLK, &l) && !flock(plain, LOCK_EX), "lock");
	kids[0] = fork_task(wait_posix, &order);
	kids[1] = fork_task(wait_ofd, &order);
	kids[2] = fork_task(wait_flock, &order);
	await_syscall(kids[0], SYS_fcntl);
	await_syscall(kids[1], SYS_fcntl);
	await_syscall(kids[2], SYS_flock);
	if (checkpoint_here()) {
		l.l_type = F_UNLCK;
		fcntl(posix, F_SETLK, &l);
		await_syscall(kids[2], SYS_flock);
		join_task(kids[0]);
	}
	sleep_ms(50); /* one that did not block would continue */
	write_file("released", "");
	l.l_type = F_UNLCK;
	check(!fcntl(posix, F_SETLK, &l) && !flock(plain, LOCK_UN), "unlock");
	for (int i = 0; i < 3; i++)
		join_task(kids[i]);
	test_done();
}
