// SPDX-License-Identifier: GPL-2.0-only
/* Numbers in other namespaces: user ids, processes of pid namespaces, a call made in a network namespace. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
	id_map_free(&map);
	CHECK(id_map_parse("0 1\n", 4, &map) == -EBADMSG);
	CHECK(id_map_parse("0 1 0\n", 6, &map) == -EBADMSG);
	CHECK(id_map_parse("0 1 x\n", 6, &map) == -EBADMSG);
}

/* The first process of a new pid namespace forks a second one, and tells that it is there. */
static _Noreturn void live_in_new_ns(int told)
{
	pid_t second = fork();

	if (!second) {
		pause();
		_exit(0);
	}
	if (write(told, &second, sizeof(second)) != sizeof(second))
		_exit(1);
	pause();
	_exit(0);
}

static void test_pid_ns(void)
{
	int told[2];
	pid_t first, second = 0, outer = 0, child;
	char path[64];
	struct stat st;

	CHECK(pipe2(told, O_CLOEXEC) == 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID))
			_exit(77);
		first = fork();
		if (!first)
			live_in_new_ns(told[1]);
		_exit(write(told[1], &first, sizeof(first)) != sizeof(first));
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	close(told[1]);
	if (WEXITSTATUS(status) == 77) {
		close(told[0]);
		printf("skip pid_ns: no new pid namespace can be made here\n");
		return;
	}
	/* In whatever order: the number inside is a small one. */
	pid_t got[2] = { 0, 0 };
	CHECK(read(told[0], &got[0], sizeof(pid_t)) == (ssize_t)sizeof(pid_t));
	CHECK(read(told[0], &got[1], sizeof(pid_t)) == (ssize_t)sizeof(pid_t));
	close(told[0]);
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

static int note_ns(void *arg)
{
	struct stat *st = arg;

	return stat("/proc/thread-self/ns/net", st) ? -errno : 5;
}

static void test_run_in(void)
{
	struct stat before, inside, after, other;
	int own, ns, result = 0;
	pid_t child;
	int status;

	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(fstat(own, &before) == 0);
	child = fork();
	if (!child)
		_exit(unshare(CLONE_NEWNET) ? 77 : 0);
	CHECK(waitpid(child, &status, 0) == child);
	if (WEXITSTATUS(status) == 77) {
		printf("skip run_in: no new network namespace can be made here\n");
		return;
	}
	CHECK(unshare(CLONE_NEWNET) == 0);
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(fstat(ns, &other) == 0);
	CHECK(setns(own, CLONE_NEWNET) == 0);
	CHECK(ns_run_in(ns, note_ns, &inside, &result) == 0);
	CHECK(result == 5);
	CHECK(inside.st_ino == other.st_ino);
	CHECK(stat("/proc/self/ns/net", &after) == 0);
	CHECK(after.st_ino == before.st_ino);
	int pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	CHECK(ns_run_in(pid_ns, note_ns, &inside, &result) == -EINVAL);
	close(pid_ns);
	close(ns);
	close(own);
}

int main(void)
{
	RUN(test_id_map);
	RUN(test_pid_ns);
	RUN(test_run_in);
	DONE();
}
