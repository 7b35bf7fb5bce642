// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX ranges of several processes, split and merged; through an open file shared by two of them; on a file that is
 * mapped (closing a descriptor of it would drop them); of a task that shares its parent's descriptor table.
 * test: flavours=host,container options=--file-locks restore-options=--file-locks breaks=3
 */
#include "checkpoint.h"
#include <sys/syscall.h>
#include <sched.h>
#include <sys/wait.h>

static int fd, mapped;

static int set(int at, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(at, F_SETLK, &l);
}

/* What another process sees in that range: pid of the holder, 0 if none. */
static pid_t holder(const char *name, short type, off_t start, off_t len, struct flock *ret)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };
	int other = open(name, O_RDWR), p[2];
	pid_t pid;

	need(!pipe(p), "pipe");
	pid = fork();
	if (!pid) {
		if (fcntl(other, F_GETLK, &l) || l.l_type == F_UNLCK)
			l.l_pid = 0;
		_exit(write(p[1], &l, sizeof(l)) != sizeof(l));
	}
	waitpid(pid, NULL, 0);
	need(read(p[0], &l, sizeof(l)) == sizeof(l), "read");
	close(p[0]);
	close(p[1]);
	if (ret)
		*ret = l;
	return l.l_pid;
}

static int child(void *arg)
{
	need(!set(fd, F_WRLCK, 200, 50) && !set(fd, F_RDLCK, 10, 5), "child");
	task_ready("child");
	wait_go(0);
	check(set(fd, F_WRLCK, 25, 1) < 0, "the parent's lock");
	check(!set(fd, F_UNLCK, 200, 50) && !set(fd, F_UNLCK, 10, 5), "unlock");
	task_ready("unlocked");
	return 0;
}

/* Shares the table: the lock belongs to both, and has the pid of this one. */
static pid_t start_table_peer(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (pid)
		return pid;
	need(!set(fd, F_WRLCK, 500, 1), "lock of a task that shares the table");
	task_ready("start_table_peer");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct flock l;
	pid_t kid, other;
	int b;

	test_init(argc, argv);
	fd = open("ranges", O_RDWR | O_CREAT, 0600);
	other = start_table_peer();
	await_task("start_table_peer");
	await_syscall(other, SYS_pause);
	need(!set(fd, F_WRLCK, 20, 30) && !set(fd, F_UNLCK, 30, 5), "split");
	need(!set(fd, F_RDLCK, 100, 10) && !set(fd, F_RDLCK, 110, 10), "merge");
	need(!set(fd, F_RDLCK, 10, 5), "shared");
	need(!set(fd, F_WRLCK, 1000, 0), "to the end");
	mapped = open("mapped", O_RDWR | O_CREAT, 0600);
	need(!ftruncate(mapped, 8192), "ftruncate");
	need(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0) != MAP_FAILED, "mmap");
	need(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, mapped, 4096) != MAP_FAILED, "mmap");
	need(!set(mapped, F_WRLCK, 0, 0), "lock the mapped file");
	kid = fork_task(child, NULL);
	await_task("child");
	await_syscall(kid, SYS_clock_nanosleep);
	b = checkpoint_here();
	if (b == 1)
		set(fd, F_UNLCK, 40, 1);
	if (b == 2)
		close(open("mapped", O_RDONLY));
	if (b == 3)
		set(fd, F_RDLCK, 1000, 0);
	await_task("unlocked");
	check(holder("ranges", F_WRLCK, 0, 20, &l) == getpid() && l.l_type == F_RDLCK && l.l_start == 10 &&
		      l.l_len == 5,
	      "the shared range");
	check(holder("ranges", F_WRLCK, 15, 50, &l) == getpid() && l.l_start == 20 && l.l_len == 10, "first half");
	check(!holder("ranges", F_WRLCK, 30, 5, NULL), "the gap");
	check(holder("ranges", F_RDLCK, 30, 50, &l) == getpid() && l.l_start == 35 && l.l_len == 15, "second half: %ld",
	      l.l_len);
	check(holder("ranges", F_WRLCK, 90, 50, &l) == getpid() && l.l_start == 100 && l.l_len == 20,
	      "the merged range");
	check(!holder("ranges", F_RDLCK, 100, 20, NULL), "the merged range is shared");
	check(!holder("ranges", F_WRLCK, 200, 50, NULL), "the child's");
	check(holder("ranges", F_RDLCK, 5000, 1, &l) == getpid() && l.l_start == 1000 && l.l_len == 0, "to the end");
	check(holder("ranges", F_WRLCK, 500, 1, NULL) == other, "the task that shares the table");
	check(!set(fd, F_UNLCK, 500, 1) && !holder("ranges", F_WRLCK, 500, 1, NULL), "not one table");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	check(holder("mapped", F_RDLCK, 0, 1, NULL) == getpid(), "the mapped file");
	join_task(kid);
	test_done();
}
