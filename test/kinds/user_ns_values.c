// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes in a user namespace of their own that have values only root of the initial one may set: negative nice values, of an
 * autogroup, too, real-time and deadline scheduling, I/O priorities, low values of oom_score_adj, high limits.
 * test: breaks=5
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define IO_REALTIME (1 << 13 | 2)
#define DEADLINE 6 /* SCHED_DEADLINE */
#define LIMITS 16

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

struct values {
	struct attributes sched;
	int nice, io, oom, autogroup;
	char login[32];
	struct rlimit limits[LIMITS];
};

static void get(struct values *v)
{
	char text[128] = "", *nice;

	memset(v, 0, sizeof(*v));
	need(!syscall(SYS_sched_getattr, 0, &v->sched, sizeof(v->sched), 0), "sched_getattr: %m");
	v->nice = getpriority(PRIO_PROCESS, 0);
	v->io = (int)syscall(SYS_ioprio_get, 1, 0);
	read_file("/proc/self/oom_score_adj", text, sizeof(text));
	v->oom = atoi(text);
	read_file("/proc/self/autogroup", text, sizeof(text));
	nice = strstr(text, " nice ");
	v->autogroup = nice ? atoi(nice + 6) : 0;
	read_file("/proc/self/loginuid", v->login, sizeof(v->login));
	for (int i = 0; i < LIMITS; i++)
		getrlimit(i, &v->limits[i]);
}

static void check_same(const char *name, const struct values *was)
{
	struct values now;

	get(&now);
	check(!memcmp(&now.sched, &was->sched, sizeof(now.sched)),
	      "%s: policy %u, priority %u, flags %#lx; was %u, %u, %#lx", name, now.sched.policy, now.sched.priority,
	      now.sched.flags, was->sched.policy, was->sched.priority, was->sched.flags);
	check(now.nice == was->nice, "%s: nice %d, was %d", name, now.nice, was->nice);
	check(now.io == was->io, "%s: I/O priority %#x, was %#x", name, now.io, was->io);
	check(now.oom == was->oom, "%s: oom_score_adj %d, was %d", name, now.oom, was->oom);
	check(now.autogroup == was->autogroup, "%s: autogroup %d, was %d", name, now.autogroup, was->autogroup);
	check(!strcmp(now.login, was->login), "%s: loginuid %s, was %s", name, now.login, was->login);
	for (int i = 0; i < LIMITS; i++)
		check(now.limits[i].rlim_cur == was->limits[i].rlim_cur &&
			      now.limits[i].rlim_max == was->limits[i].rlim_max,
		      "%s: limit %d", name, i);
}

/* ---- what each process sets before it enters the namespace ---- */

static void set_policy(int policy, int priority)
{
	need(!sched_setscheduler(0, policy, &(struct sched_param){ .sched_priority = priority }), "scheduling: %m");
}

static void set_nice(void)
{
	need(!setpriority(PRIO_PROCESS, 0, -9), "nice: %m");
}

static void set_fifo(void)
{
	set_nice();
	set_policy(SCHED_FIFO, 4);
}

static void set_io(void)
{
	need(!syscall(SYS_ioprio_set, 1, 0, IO_REALTIME), "I/O priority: %m");
}

/* If the machine cannot admit the deadline it is left unchanged. */
static void set_deadline(void)
{
	struct attributes a = { .size = sizeof(a), .policy = DEADLINE, .flags = 1 /* SCHED_FLAG_RESET_ON_FORK */ };

	a.runtime = 1000000;
	a.deadline = 40000000;
	a.period = 50000000;
	syscall(SYS_sched_setattr, 0, &a, 0);
}

static void set_session(void)
{
	need(setsid() > 0, "setsid");
	if (!access("/proc/self/autogroup", F_OK))
		write_file("/proc/self/autogroup", "-4");
}

/* With CAP_SYS_RESOURCE. */
static void set_limits(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	struct rlimit l;

	if (write(fd, "-321", 4) != 4)
		need(write(fd, "321", 3) == 3, "oom_score_adj");
	close(fd);
	setrlimit(RLIMIT_NICE, &(struct rlimit){ 25, 30 });
	setrlimit(RLIMIT_RTPRIO, &(struct rlimit){ 20, 40 });
	if (!getrlimit(RLIMIT_MEMLOCK, &l) && l.rlim_max != RLIM_INFINITY)
		setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ l.rlim_max, l.rlim_max + 4096 });
}

static void set_little(void)
{
	set_policy(SCHED_BATCH, 0);
}

static void (*const set[])(void) = { set_nice, set_fifo, set_io, set_deadline, set_session, set_limits, set_little };
static const char *const names[] = { "nice", "fifo", "io", "deadline", "session", "limits", "little" };
#define TASKS 7

static void lower_a_limit(void)
{
	struct rlimit l;

	need(!getrlimit(RLIMIT_NOFILE, &l), "getrlimit");
	l.rlim_cur--;
	need(!setrlimit(RLIMIT_NOFILE, &l), "setrlimit");
}

static int user;

static int enter_and_verify(void *arg)
{
	struct values was;
	int i = (int)(intptr_t)arg;

	set[i]();
	need(!setns(user, CLONE_NEWUSER) && !prctl(PR_SET_DUMPABLE, 1), "enter: %m");
	close(user);
	get(&was);
	checkpoint_task(names[i], 0);
	if (test_break() == 1 && set[i] == set_nice)
		setpriority(PRIO_PROCESS, 0, 3);
	if (test_break() == 2 && set[i] == set_fifo)
		set_policy(SCHED_OTHER, 0);
	if (test_break() == 3 && set[i] == set_io)
		syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4);
	if (test_break() == 4 && set[i] == set_limits)
		write_file("/proc/self/oom_score_adj", "999");
	if (test_break() == 5 && set[i] == set_limits)
		lower_a_limit();
	check_same(names[i], &was);
	return 0;
}

/* The user namespace that the others enter: that of a process which keeps it until they are there. */
static void new_user_ns(int *ret_fd)
{
	int made[2], mapped[2];
	char path[64], c = 0;
	pid_t pid;

	need(!pipe(made) && !pipe(mapped), "pipes");
	pid = fork();
	if (!pid) {
		close(mapped[1]);
		c = unshare(CLONE_NEWUSER) ? 'n' : 'y';
		if (write(made[1], &c, 1) != 1 || read(mapped[0], &c, 1) != 0)
			_exit(1);
		_exit(0);
	}
	need(read(made[0], &c, 1) == 1, "pipe");
	if (c != 'y')
		test_skip("no user namespaces");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_file(path, "0 0 65536\n");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_file(path, "0 0 65536\n");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	need(*ret_fd >= 0, "%s: %m", path);
	close(made[0]), close(made[1]), close(mapped[0]), close(mapped[1]);
	need(waitpid(pid, NULL, 0) == pid, "wait");
}

int main(int argc, char **argv)
{
	pid_t pids[TASKS];
	struct values was;

	test_init(argc, argv);
	if (setpriority(PRIO_PROCESS, 0, -2) || !getpriority(PRIO_PROCESS, 0))
		test_skip("needs CAP_SYS_NICE");
	new_user_ns(&user);
	for (int i = 0; i < TASKS; i++)
		pids[i] = fork_task(enter_and_verify, (void *)(intptr_t)i);
	for (int i = 0; i < TASKS; i++)
		await_task(names[i]);
	need(!setns(user, CLONE_NEWUSER) && !prctl(PR_SET_DUMPABLE, 1), "enter: %m");
	close(user);
	get(&was);
	checkpoint_here();
	check_same("root", &was);
	for (int i = 0; i < TASKS; i++)
		join_task(pids[i]);
	test_done();
}
