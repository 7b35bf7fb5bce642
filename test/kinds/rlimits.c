// SPDX-License-Identifier: GPL-2.0-only
/*
 * All resource limits, of root and of other users.
 * test: flavours=host,user breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int verify(const char *name)
{
	struct rlimit before[16], after;

	for (int i = 0; i < 16; i++)
		getrlimit(i, &before[i]);
	checkpoint_task(name, 0);
	if (test_break())
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	for (int i = 0; i < 16; i++) {
		getrlimit(i, &after);
		check(after.rlim_cur == before[i].rlim_cur && after.rlim_max == before[i].rlim_max,
		      "%s: limit %d is %lu %lu, was %lu %lu", name, i, after.rlim_cur, after.rlim_max,
		      before[i].rlim_cur, before[i].rlim_max);
	}
	return 0;
}

static void lower(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit now;

	getrlimit(what, &now);
	now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
	now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
	check(!setrlimit(what, &now), "setrlimit %d", what);
}

static void lower_all(void)
{
	lower(RLIMIT_CPU, 5000, 6000);
	lower(RLIMIT_FSIZE, 100 << 20, 200 << 20);
	lower(RLIMIT_DATA, 1UL << 32, 1UL << 33);
	lower(RLIMIT_STACK, 4 << 20, 64 << 20);
	lower(RLIMIT_CORE, 1, 1 << 20);
	lower(RLIMIT_NPROC, 3000, 4000);
	lower(RLIMIT_NOFILE, 64, 128);
	lower(RLIMIT_MEMLOCK, 4096, 8192);
	lower(RLIMIT_AS, 1UL << 34, 1UL << 35);
	lower(RLIMIT_LOCKS, 10, 20);
	lower(RLIMIT_SIGPENDING, 30, 40);
	lower(RLIMIT_MSGQUEUE, 4096, 8192);
	lower(RLIMIT_NICE, 0, 0);
	lower(RLIMIT_RTPRIO, 0, 0);
	lower(RLIMIT_RTTIME, 1000000, 2000000);
}

static int defaults(void *arg)
{
	return verify("defaults");
}

static int root(void *arg)
{
	lower_all();
	return verify("root");
}

static int user(void *arg)
{
	lower_all();
	need(!setgroups(0, NULL) && !setresgid(1001, 1001, 1001) && !setresuid(1001, 1001, 1001), "ids");
	prctl(PR_SET_DUMPABLE, 1);
	return verify("user");
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { defaults, root, user };
	const char *names[] = { "defaults", "root", "user" };
	pid_t pids[3];

	test_init(argc, argv);
	for (int i = 0; i < 3; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 3; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	test_done();
}
