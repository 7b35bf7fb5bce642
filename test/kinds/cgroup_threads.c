// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads in other groups than their process: in version 1, and in threaded groups of version 2, whose domain the process
 * is in. Another process has its first thread in a threaded group. A third one, child of the first, is back in the
 * groups that the test was started in.
 * test: breaks=2 decode=yes flavours=host,pid
 */
#include "cgroup.h"
#include <pthread.h>
#include <sys/syscall.h>

static const char *tops[2];
static char origin[2][512];
static const char *const names[2] = { CGROUP_V2, "pids" };
static pthread_barrier_t barrier;

static void check_tail(const char *tail)
{
	for (int i = 0; i < 2; i++) {
		char path[512];
		size_t len = strlen(tail), all;

		cgroup_mine(names[i], path);
		all = strlen(path);
		check(all > len && !strcmp(path + all - len, tail), "thread %ld is in %s (%s), not in .../%s",
		      syscall(SYS_gettid), path, names[i], tail);
	}
}

static void *thread(void *name)
{
	char tid[16], tail[64];

	snprintf(tid, sizeof(tid), "%ld", syscall(SYS_gettid));
	cgroup_write(cgroup_path(tops[0], "domain/%s/cgroup.threads", (char *)name), tid);
	cgroup_write(cgroup_path(tops[1], "domain/%s/tasks", (char *)name), tid);
	pthread_barrier_wait(&barrier);
	wait_go(0);
	snprintf(tail, sizeof(tail), "/domain/%s", (char *)name);
	check_tail(tail);
	return NULL;
}

static int outside(void *arg)
{
	for (int i = 0; i < 2; i++)
		cgroup_write(cgroup_path(tops[i], "../cgroup.procs"), "0");
	checkpoint_task("outside", 0);
	for (int i = 0; i < 2; i++) {
		char path[512];

		cgroup_mine(names[i], path);
		check(!strcmp(path, origin[i]), "it is in %s, not %s", path, origin[i]);
	}
	return 0;
}

static int threaded(void *arg)
{
	for (int i = 0; i < 2; i++)
		cgroup_write(cgroup_path(tops[i], "domain/%s/cgroup.procs", "one"), "0");
	checkpoint_task("threaded", 0);
	check_tail("/domain/one");
	return 0;
}

int main(int argc, char **argv)
{
	static char group[2][4] = { "one", "two" };
	pthread_t threads[2];
	pid_t pids[2];
	int brk;

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		tops[i] = cgroup_top(names[i]);
		cgroup_mine(names[i], origin[i]);
		need(!mkdir(cgroup_path(tops[i], "domain"), 0755) && !mkdir(cgroup_path(tops[i], "domain/one"), 0755) &&
			     !mkdir(cgroup_path(tops[i], "domain/two"), 0755),
		     "groups");
	}
	cgroup_write(cgroup_path(tops[0], "domain/one/cgroup.type"), "threaded");
	cgroup_write(cgroup_path(tops[0], "domain/two/cgroup.type"), "threaded");
	for (int i = 0; i < 2; i++)
		cgroup_write(cgroup_path(tops[i], "domain/cgroup.procs"), "0");
	pids[0] = fork_task(outside, NULL);
	pids[1] = fork_task(threaded, NULL);
	await_task("outside");
	await_task("threaded");
	pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 2; i++)
		need(!pthread_create(&threads[i], NULL, thread, group[i]), "thread");
	pthread_barrier_wait(&barrier);

	brk = checkpoint_here();
	if (brk == 1)
		cgroup_write(cgroup_path(tops[0], "domain/one/cgroup.threads"), "0");
	if (brk == 2)
		cgroup_write(cgroup_path(tops[1], "domain/two/cgroup.procs"), "0");

	check_tail("/domain");
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	join_task(pids[0]);
	join_task(pids[1]);
	for (int i = 0; i < 2; i++) {
		cgroup_write(cgroup_path(tops[i], "../cgroup.procs"), "0");
		cgroup_remove(tops[i]);
	}
	test_done();
}
