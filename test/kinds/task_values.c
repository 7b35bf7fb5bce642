// SPDX-License-Identifier: GPL-2.0-only
/*
 * personality, oom_score_adj, loginuid, coredump_filter, nice, scheduling classes and their flags, deadlines,
 * utilization clamps, I/O priorities of processes; their arguments and environment; the nice value of a session's
 * autogroup.
 * test: breaks=4
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define FILES 8
#define IO_IDLE (3 << 13)
#define IO_BEST_EFFORT (2 << 13)
#define DEADLINE 6 /* SCHED_DEADLINE */

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max; /* 0 if not supported by the kernel */
};

static void get_attributes(struct attributes *a)
{
	memset(a, 0, sizeof(*a));
	need(!syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0), "sched_getattr: %m");
}

/* -100: none */
static int autogroup_nice(void)
{
	char text[128] = "", *nice;

	read_file("/proc/self/autogroup", text, sizeof(text));
	nice = strstr(text, " nice ");
	return nice ? atoi(nice + 6) : -100;
}

static int verify(const char *name)
{
	const char *files[FILES] = { "personality", "oom_score_adj", "loginuid", "cmdline",
				     "environ",	    "auxv",	     "comm",	 "coredump_filter" };
	static char before[FILES][8192], after[8192];
	long io = syscall(SYS_ioprio_get, 1, 0);
	struct attributes attr, attr_after;
	int policy = sched_getscheduler(0), group = autogroup_nice(), nice_was = getpriority(PRIO_PROCESS, 0);
	struct sched_param sp, sp_after;
	long len[FILES], got;
	char path[64];
	cpu_set_t cpus, cpus_after;

	sched_getparam(0, &sp);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		len[i] = read_file(path, before[i], sizeof(before[i]));
	}
	get_attributes(&attr);
	checkpoint_task(name, 0);
	if (test_break() == 3)
		syscall(SYS_ioprio_set, 1, 0, IO_BEST_EFFORT | 1);
	if (test_break() == 1)
		write_file("/proc/self/oom_score_adj", "999");
	if (test_break() == 2)
		personality(0x0010000);
	if (test_break() == 4 && !strcmp(name, "session"))
		write_file("/proc/self/autogroup", "3");
	check(autogroup_nice() == group, "%s: autogroup %d was %d", name, autogroup_nice(), group);
	for (int i = 0; i < FILES; i++) {
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
	get_attributes(&attr_after);
	check(!memcmp(&attr, &attr_after, sizeof(attr)),
	      "%s: flags %#lx, runtime %lu of %lu, clamps %u, %u; were %#lx, %lu of %lu, %u, %u", name,
	      attr_after.flags, attr_after.runtime, attr_after.period, attr_after.util_min, attr_after.util_max,
	      attr.flags, attr.runtime, attr.period, attr.util_min, attr.util_max);
	check(syscall(SYS_ioprio_get, 1, 0) == io, "%s: I/O priority %#lx, was %#lx", name,
	      syscall(SYS_ioprio_get, 1, 0), io);
	return 0;
}

static int plain(void *arg)
{
	return verify("plain");
}

static int personal(void *arg)
{
	personality(ADDR_NO_RANDOMIZE | SHORT_INODE | STICKY_TIMEOUTS);
	return verify("personal");
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

static int idle(void *arg)
{
	struct sched_param sp = { 0 };

	need(!syscall(SYS_ioprio_set, 1, 0, IO_IDLE), "I/O priority");
	sched_setscheduler(0, SCHED_IDLE, &sp);
	write_file("/proc/self/coredump_filter", "0x1c4");
	return verify("idle");
}

static int best_effort(void *arg)
{
	need(!syscall(SYS_ioprio_set, 1, 0, IO_BEST_EFFORT | 6), "I/O priority");
	return verify("best effort");
}

/* If the machine cannot admit the deadline it is left unchanged. */
static int deadline(void *arg)
{
	struct attributes a = { .size = sizeof(a), .policy = DEADLINE, .flags = 1 /* SCHED_FLAG_RESET_ON_FORK */ };

	a.runtime = 1000000;
	a.deadline = 40000000;
	a.period = 50000000;
	syscall(SYS_sched_setattr, 0, &a, 0);
	return verify("deadline");
}

#define UTIL_CLAMPS 0x60 /* SCHED_FLAG_UTIL_CLAMP */

/* If the kernel has no clamps they are left unchanged, too. */
static int clamped(void *arg)
{
	struct attributes a = { .size = sizeof(a), .flags = UTIL_CLAMPS, .util_min = 100, .util_max = 700 };

	need(!syscall(SYS_sched_setattr, 0, &a, 0) || errno == EOPNOTSUPP || errno == EINVAL, "clamps: %m");
	return verify("clamped");
}

static int session(void *arg)
{
	need(setsid() > 0, "setsid");
	if (autogroup_nice() != -100) {
		write_file("/proc/self/autogroup", "7");
		need(autogroup_nice() == 7, "autogroup");
	}
	return verify("session");
}

/* Its leader has exited. */
static int orphan(void *arg)
{
	return verify("orphan");
}

static int leader(void *arg)
{
	need(setsid() > 0, "setsid");
	if (autogroup_nice() != -100)
		write_file("/proc/self/autogroup", "-4");
	fork_task(orphan, NULL);
	await_task("orphan");
	return 0;
}

#define TASKS 12

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { plain, personal, oom,	      login,	fifo,	 rr,
				batch, idle,	 best_effort, deadline, clamped, session };
	const char *names[] = { "plain", "personal", "oom",	    "login",	"fifo",	   "rr",
				"batch", "idle",     "best effort", "deadline", "clamped", "session" };
	pid_t pids[TASKS];

	test_init(argc, argv);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	join_task(fork_task(leader, NULL));
	for (int i = 0; i < TASKS; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < TASKS; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < TASKS; i++)
		join_task(pids[i]);
	join_task(-1);
	test_done();
}
