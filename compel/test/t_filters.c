// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets whose seccomp filter kills for the call that would continue an interrupted one: they survive, and continue to
 * wait or get EINTR, also if the tracer is killed in the stop, or may neither read nor suspend filters.
 */
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "base/bits.h"
#include "help.h"

#define SLEEP_MS 400
#define NOBODY 65534

enum how { SESSION, TRACER_KILLED, KILLED_IN_SESSION, NO_RIGHTS };
static const char *const hows[] = { "", "_tracer_killed", "_killed_in_session", "_no_rights" };

static struct shared {
	volatile int ready, done;
	enum how how;
	int point; /* KILLED_IN_SESSION: number of the library's call */
	volatile long result, error;
	struct timespec span, until;
	unsigned int word;
} * s;
static int fds[2];

/* Installs a filter that kills for call @nr; in all threads, if @all. */
static void forbid(long nr, bool all)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { ARRAY_SIZE(insns), insns };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all ? SECCOMP_FILTER_FLAG_TSYNC : 0, &fprog))
		exit(1);
}

static long poll_for_ever(void)
{
	struct pollfd p = { fds[0], POLLIN, 0 };

	return syscall(SYS_poll, &p, 1, -1);
}

static long poll_timed(void)
{
	return syscall(SYS_poll, NULL, 0, SLEEP_MS);
}

static long sleep_timed(void)
{
	return syscall(SYS_nanosleep, &s->span, NULL);
}

static long futex_until(void)
{
	return syscall(SYS_futex, &s->word, FUTEX_WAIT_BITSET_PRIVATE, 0, &s->until, NULL, -1);
}

/* Installs the filter while the main thread waits in the call that it denies. */
static void *forbid_read(void *arg)
{
	wait_state(getpid(), 'S');
	forbid(SYS_read, true);
	s->ready = 2;
	return NULL;
}

static long read_forbidden(void)
{
	pthread_t thread;
	char c;

	s->ready = 1;
	if (pthread_create(&thread, NULL, forbid_read, NULL))
		exit(1);
	return syscall(SYS_read, fds[0], &c, 1);
}

static const struct filter_case {
	const char *name;
	long (*body)(void);
	bool event; /* ended by one */
	long result, error; /* otherwise: allowed in addition to EINTR */
} cases[] = {
	{ "poll_for_ever", poll_for_ever, true, 1, 0 },
	{ "poll", poll_timed, false, 0, 0 },
	{ "nanosleep", sleep_timed, false, 0, 0 },
	{ "futex_until", futex_until, false, -1, ETIMEDOUT },
	{ "read_forbidden_since", read_forbidden, false, -1, EINTR },
};

static void drop_rights(void)
{
	if (s->how == NO_RIGHTS && (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		exit(1);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void body(void *arg)
{
	const struct filter_case *c = arg;

	drop_rights();
	if (c->body != read_forbidden) {
		forbid(SYS_restart_syscall, false);
		forbid(SYS_getpid, false); /* made by a session, never by the target itself */
		s->ready = 2;
	}
	s->result = c->body();
	s->error = errno;
	s->done = 1;
	pause();
}

/* Stops the target and dies: from then on it must cope alone. */
static void stop_and_exit(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	static const unsigned long no_args[6];
	struct compel_ctl *ctl;
	struct compel_stop stop;
	long value;

	drop_rights();
	if (compel_seize(pid, true) || compel_wait_stop(pid, &stop))
		exit(1);
	if (s->how != KILLED_IN_SESSION)
		kill(getpid(), SIGKILL);
	/* A session with one call, which the target's filter allows. */
	kill_at = kill_count + s->point;
	if (!compel_open(pid, &ctl) && !compel_syscall(ctl, SYS_getuid, no_args, &value) && !compel_cure(ctl))
		exit(compel_detach(pid, &stop) ? 1 : 0);
	exit(1);
}

/* 1: it was killed; 0: its session was complete */
static int tracer_dies(pid_t pid)
{
	int status = 0;
	pid_t tracer = victim(stop_and_exit, &pid);

	if (waitpid(tracer, &status, 0) != tracer)
		return -ECHILD;
	return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status) ? -EPROTO : 0;
}

/* Was the tracer killed? */
static bool run_case(const struct filter_case *c, enum how how, int point)
{
	int status = 0, err = 0, stopped;
	bool early, good;
	char name[64];
	pid_t pid;

	*s = (struct shared){ .how = how, .point = point, .span = { SLEEP_MS / 1000, SLEEP_MS % 1000 * 1000000l } };
	clock_gettime(CLOCK_MONOTONIC, &s->until);
	s->until.tv_sec++;
	pid = victim(body, (void *)c);
	while (s->ready < 2 && !waitpid(pid, &status, WNOHANG))
		usleep(100);
	wait_state(pid, 'S');
	stopped = how ? tracer_dies(pid) : session(pid, &err) ? -EPROTO : 1;
	early = c->event && s->done;
	if (c->event && write(fds[1], "x", 1) != 1)
		err = errno;
	while (!s->done && !waitpid(pid, &status, WNOHANG))
		usleep(100);
	good = stopped >= 0 && !early && s->done && s->result == c->result && (s->result >= 0 || s->error == c->error);
	good |= stopped >= 0 && s->done && !c->event && c->body != futex_until && s->result == -1 && s->error == EINTR;
	snprintf(name, sizeof(name), "%s%s", c->name, hows[how]);
	if (how != KILLED_IN_SESSION || !good || !stopped)
		report(name, good, "stopped %d (%s), early %d, done %d, result %ld, errno %ld, status %#x", stopped,
		       strerror(-err), early, s->done, s->result, s->error, status);
	end_victim(pid);
	/* A poll does not read the byte, nor does a killed process. */
	if (c->event && read(fds[0], name, 1) != 1)
		exit(1);
	return stopped > 0;
}

int main(int argc, char **argv)
{
	s = shared_page();
	if (pipe(fds))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (enum how how = SESSION; how <= NO_RIGHTS; how++)
			/* Without permission we cannot know that a call is denied since. */
			if (how != KILLED_IN_SESSION && (how != NO_RIGHTS || cases[i].body != read_forbidden))
				run_case(&cases[i], how, 0);
	for (int point = 1; run_case(&cases[0], KILLED_IN_SESSION, point);)
		point++;
	return test_result();
}
