// SPDX-License-Identifier: GPL-2.0-only
/* Ids in other namespaces: user ids, processes in pid namespaces, a call made in a network namespace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/id_map.h"
#include "kernel/ns_run.h"
#include "kernel/pid_ns.h"
#include "util/fds.h"
#include "util_check.h"

static void test_id_map(void)
{
	static const char text[] = "         0       1000          1\n         1     100000      65536\n";
	struct id_map map = { 0 }, none = { 0 };

	CHECK(id_map_inner(&none, 4711) == 4711);
	CHECK(id_map_parse(text, strlen(text), &map) == 0);
	CHECK(map.ranges.n == 2);
	CHECK(id_map_inner(&map, 1000) == 0);
	CHECK(id_map_inner(&map, 100000) == 1);
	CHECK(id_map_inner(&map, 165535) == 65536);
	CHECK(id_map_inner(&map, 165536) == ID_MAP_OVERFLOW);
	CHECK(id_map_inner(&map, 0) == ID_MAP_OVERFLOW);
	CHECK(id_map_run(&map, 1000) == 1 && id_map_run(&map, 100001) == 65535 && id_map_run(&map, 999) == 0);
	CHECK(id_map_run(&none, 7) > 1000);
	id_map_free(&map);
	CHECK(id_map_parse("0 1\n", 4, &map) == -EBADMSG);
	CHECK(id_map_parse("0 1 0\n", 6, &map) == -EBADMSG);
	CHECK(id_map_parse("0 1 x\n", 6, &map) == -EBADMSG);
}

/* The first process of a new pid namespace forks a second one, and signals that it is running. */
static _Noreturn void live_in_new_ns(int signal_fd)
{
	pid_t second = fork();

	if (!second) {
		pause();
		_exit(0);
	}
	if (write(signal_fd, &second, sizeof(second)) != sizeof(second))
		_exit(1);
	pause();
	_exit(0);
}

static void test_pid_ns(void)
{
	int signal_fd[2];
	pid_t first, second = 0, outer = 0, child;
	char path[64];
	struct stat st;

	CHECK(pipe2(signal_fd, O_CLOEXEC) == 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID))
			_exit(77);
		first = fork();
		if (!first)
			live_in_new_ns(signal_fd[1]);
		_exit(write(signal_fd[1], &first, sizeof(first)) != sizeof(first));
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	close(signal_fd[1]);
	if (WEXITSTATUS(status) == 77) {
		close(signal_fd[0]);
		printf("skip pid_ns: cannot create a pid namespace here\n");
		return;
	}
	/* In any order: the pid in the namespace is a small one. */
	pid_t got[2] = { 0, 0 };
	CHECK(read(signal_fd[0], &got[0], sizeof(pid_t)) == (ssize_t)sizeof(pid_t));
	CHECK(read(signal_fd[0], &got[1], sizeof(pid_t)) == (ssize_t)sizeof(pid_t));
	close(signal_fd[0]);
	first = got[0] > got[1] ? got[0] : got[1];
	second = got[0] > got[1] ? got[1] : got[0];
	CHECK(second == 2);
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", first);
	int ns = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(ns >= 0);
	CHECK(pid_ns_outer(ns, 1, &outer) == 0);
	CHECK(outer == first);
	CHECK(pid_ns_outer(ns, 2, &outer) == 0);
	CHECK(outer != 2 && outer != first);
	snprintf(path, sizeof(path), "/proc/%d", outer);
	CHECK(stat(path, &st) == 0);
	CHECK(pid_ns_outer(ns, 4711, &outer) == -ESRCH);
	close(ns);
	kill(first, SIGKILL);
}

struct noted {
	struct stat net, mnt;
	int fd;
};

static int note_ns(void *arg)
{
	struct noted *noted = arg;

	noted->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return noted->fd < 0 || fstat(noted->fd, &noted->net) || stat("/proc/thread-self/ns/mnt", &noted->mnt) ?
		       -errno :
		       5;
}

/* Lives in its own namespaces until it is killed. */
static pid_t live_apart(int flags)
{
	int signal_fd[2];
	char ok = 0;
	pid_t pid;

	if (pipe2(signal_fd, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		ok = !unshare(flags);
		if (write(signal_fd[1], &ok, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(signal_fd[0], &ok, 1) != 1 || !ok)
		return -1;
	close(signal_fd[0]);
	close(signal_fd[1]);
	return pid;
}

/*
 * A user namespace, and a mount and a network namespace that it owns: entered for a call, which leaves its results
 * here.
 */
static void test_run_in(void)
{
	static const char *const names[] = { "user", "mnt", "net" };
	struct stat before, after, net, mnt;
	struct noted noted = { 0 };
	int ns[3], result = 0;
	pid_t apart = live_apart(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET);

	if (apart < 0) {
		printf("skip run_in: cannot create namespaces here\n");
		return;
	}
	for (int i = 0; i < 3; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", apart, names[i]);
		ns[i] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(ns[i] >= 0);
	}
	CHECK(!fstat(ns[1], &mnt) && !fstat(ns[2], &net));
	CHECK(!stat("/proc/self/ns/net", &before));
	CHECK(ns_run_in(ns, 3, note_ns, &noted, &result) == 0);
	CHECK(result == 5);
	CHECK(noted.net.st_ino == net.st_ino && noted.mnt.st_ino == mnt.st_ino);
	/* The descriptor belongs to us, and we are in our old namespaces. */
	CHECK(!fstat(noted.fd, &after) && after.st_ino == net.st_ino);
	CHECK(!stat("/proc/self/ns/net", &after) && after.st_ino == before.st_ino);
	/* If the namespace cannot be entered, nothing is called. */
	close(ns[1]);
	result = 7;
	CHECK(ns_run_in(ns, 3, note_ns, &noted, &result) == -EBADF);
	CHECK(result == 7);
	kill(apart, SIGKILL);
	CHECK(waitpid(apart, NULL, 0) == apart);
}

static int open_for_children(void *arg)
{
	return *(int *)arg = pid_ns_open_for_children();
}

static bool belongs_to_own_user_ns(int ns)
{
	int owner = ioctl(ns, NS_GET_USERNS);
	struct stat own = { 0 }, st = { 0 };
	bool same = owner >= 0 && !fstat(owner, &st) && !stat("/proc/self/ns/user", &own) && own.st_ino == st.st_ino;

	close(owner);
	return same;
}

/*
 * As the first process of a pid namespace, where all numbers are free. One that a new user namespace owns has no process yet, and
 * gets its first one with the numbers of all levels from here.
 */
static int fill_empty_pid_ns(void)
{
	pid_t want[2] = { 1, 4711 };
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)want, .set_tid_size = 2 };
	const struct ns_targets targets = { .fresh = CLONE_NEWUSER | CLONE_NEWPID };
	int fd = -1, result = -1, status;
	long pid;

	if (ns_run_in_new(&targets, open_for_children, &fd, &result) || result < 0)
		return 2;
	if (belongs_to_own_user_ns(fd) || setns(fd, CLONE_NEWPID) < 0)
		return 3;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(getpid() == 1 ? 0 : 1);
	if (pid != 4711 || waitpid(4711, &status, 0) != 4711)
		return 4;
	return status ? 5 : 0;
}

static void test_empty_pid_ns(void)
{
	pid_t child, init;
	int status = -1;

	if (!pid_ns_can_open_empty()) {
		printf("skip empty_pid_ns: needs Linux 6.11\n");
		return;
	}
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		init = fork();
		if (!init)
			_exit(fill_empty_pid_ns());
		if (waitpid(init, &status, 0) != init)
			_exit(1);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("skip empty_pid_ns: cannot create a pid namespace here\n");
		return;
	}
	CHECK(status == 0);
}

static int die(void *arg)
{
	kill(getpid(), SIGKILL);
	return 0;
}

static void test_run_in_killed(void)
{
	int result = 7;

	CHECK(ns_run_in(NULL, 0, die, NULL, &result) == -ECHILD);
	CHECK(result == 7);
}

int main(void)
{
	RUN(test_id_map);
	RUN(test_pid_ns);
	RUN(test_run_in);
	RUN(test_run_in_killed);
	RUN(test_empty_pid_ns);
	DONE();
}
