// SPDX-License-Identifier: GPL-2.0-only
/*
 * flock(2): exclusive and shared, one open file through dup and fork, two open files of one file, locked by a dead
 * process.
 * test: options=--file-locks restore-options=--file-locks breaks=3
 */
#include "checkpoint.h"
#include <sys/syscall.h>
#include <sys/file.h>
#include <sys/wait.h>

static int shared_fd, orphan_fd;

/* With a new open file description: what other processes see. */
static bool can(const char *name, int op)
{
	int fd = open(name, O_RDWR);
	bool got = !flock(fd, op | LOCK_NB);

	close(fd);
	return got;
}

static int heir(void *arg)
{
	task_ready("heir");
	wait_go(0);
	/* It has its parent's lock: with the same open file description this is no conflict. */
	check(!flock(shared_fd, LOCK_EX | LOCK_NB), "relock by the heir");
	task_ready("relocked");
	return 0;
}

static int taker(void *arg)
{
	return flock(orphan_fd, LOCK_EX);
}

int main(int argc, char **argv)
{
	int exclusive, twice, one, two, upgraded, b;
	pid_t pid;

	test_init(argc, argv);
	exclusive = open("exclusive", O_RDWR | O_CREAT, 0600);
	need(!flock(exclusive, LOCK_EX), "flock");
	twice = dup(exclusive);
	one = open("shared", O_RDONLY | O_CREAT, 0600);
	two = open("shared", O_RDWR);
	need(!flock(one, LOCK_SH) && !flock(two, LOCK_SH), "flock shared");
	shared_fd = open("inherited", O_RDWR | O_CREAT, 0600);
	need(!flock(shared_fd, LOCK_EX), "flock");
	upgraded = open("upgraded", O_RDWR | O_CREAT, 0600);
	need(!flock(upgraded, LOCK_EX) && !flock(upgraded, LOCK_SH), "flock down");
	orphan_fd = open("orphan", O_RDWR | O_CREAT, 0600);
	join_task(fork_task(taker, NULL));
	pid = fork_task(heir, NULL);
	await_task("heir");
	await_syscall(pid, SYS_clock_nanosleep);
	b = checkpoint_here();
	if (b == 1)
		flock(exclusive, LOCK_UN);
	if (b == 2)
		flock(two, LOCK_UN), flock(one, LOCK_EX);
	if (b == 3)
		flock(orphan_fd, LOCK_UN);
	check(!can("exclusive", LOCK_SH), "the exclusive lock is gone");
	check(can("shared", LOCK_SH) && !can("shared", LOCK_EX), "the shared locks");
	check(can("upgraded", LOCK_SH) && !can("upgraded", LOCK_EX), "the downgraded lock");
	check(!can("orphan", LOCK_SH), "the lock of a dead child");
	await_task("relocked");
	check(!can("inherited", LOCK_SH), "the inherited lock");
	join_task(pid);
	/* The locks are released with the last of their descriptors. */
	close(exclusive);
	check(!can("exclusive", LOCK_SH), "not held by a duplicate");
	close(twice);
	check(can("exclusive", LOCK_EX), "still held");
	close(one);
	check(!can("shared", LOCK_EX), "the second reader");
	close(two);
	check(can("shared", LOCK_EX), "no reader");
	flock(shared_fd, LOCK_UN);
	check(can("inherited", LOCK_EX), "unlocked");
	test_done();
}
