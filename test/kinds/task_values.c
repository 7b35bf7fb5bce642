// SPDX-License-Identifier: GPL-2.0-only
/*
 * personality, oom_score_adj, loginuid, nice, scheduling classes, of processes; their arguments and environment.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int verify(const char *name)
{
	const char *files[] = { "personality", "oom_score_adj", "loginuid", "cmdline", "environ", "auxv", "comm" };
	static char before[7][8192], after[8192];
	int policy = sched_getscheduler(0), nice_was = getpriority(PRIO_PROCESS, 0);
	struct sched_param sp, sp_after;
	long len[7], got;
	char path[64];
	cpu_set_t cpus, cpus_after;

	sched_getparam(0, &sp);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (int i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		len[i] = read_file(path, before[i], sizeof(before[i]));
	}
	checkpoint_task(name, 0);
	if (test_break() == 1)
		write_file("/proc/self/oom_score_adj", "999");
	if (test_break() == 2)
		personality(0x0010000);
	for (int i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		got = read_file(path, after, sizeof(after));
		check(got == len[i] && !memcmp(after, before[i], got > 0 ? (size_t)got : 0), "%s: %s: %.40s was %.40s",
		      name, files[i], after, before[i]);
	}
	check(sched_getscheduler(0) == policy, "%s: class %d was %d", name, sched_getscheduler(0), policy);
	check(!sched_getparam(0, &sp_after) && sp_after.sched_priority == sp.sched_priority, "%s: priority %d", name,
	      sp_after.sched_priority);
	check(getpriority(PRIO_PROCESS, 0) == nice_was, "%s: nice %d was %d", name, getpriority(PRIO_PROCESS, 0),
	      nice_was);
	sched_getaffinity(0, sizeof(cpus_after), &cpus_after);
	check(CPU_EQUAL(&cpus, &cpus_after), "%s: affinity", name);
	return 0;
}

static int plain(void *arg)
{
	return verify("plain");
}

static int person(void *arg)
{
	personality(ADDR_NO_RANDOMIZE | SHORT_INODE | STICKY_TIMEOUTS);
	return verify("person");
}

static int oom(void *arg)
{
	write_file("/proc/self/oom_score_adj", "567");
	setpriority(PRIO_PROCESS, 0, 11);
	return verify("oom");
}

static int login(void *arg)
{
	int fd = open("/proc/self/loginuid", O_WRONLY);

	if (fd >= 0 && write(fd, "1234", 4) != 4)
		errno = 0;
	close(fd);
	setpriority(PRIO_PROCESS, 0, -7);
	return verify("login");
}

static int fifo(void *arg)
{
	struct sched_param sp = { .sched_priority = 3 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	sched_setscheduler(0, SCHED_FIFO, &sp);
	return verify("fifo");
}

static int rr(void *arg)
{
	struct sched_param sp = { .sched_priority = 9 };

	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &sp);
	return verify("rr");
}

static int batch(void *arg)
{
	struct sched_param sp = { 0 };

	setpriority(PRIO_PROCESS, 0, 5);
	sched_setscheduler(0, SCHED_BATCH, &sp);
	return verify("batch");
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { plain, person, oom, login, fifo, rr, batch };
	const char *names[] = { "plain", "person", "oom", "login", "fifo", "rr", "batch" };
	pid_t pids[7];

	test_init(argc, argv);
	for (int i = 0; i < 7; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 7; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < 7; i++)
		join_task(pids[i]);
	test_done();
}
