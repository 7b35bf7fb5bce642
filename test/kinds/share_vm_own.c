// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private state of processes in one memory: credentials, limits, timers, pending signals, locks, names, filters, an
 * epoll, a pipe to each other. Small private stacks; memory larger than one read, of which a child forked by a peer has
 * a copy. AddressSanitizer prints a message on descriptor 2 when it encounters the stack of a task that runs in the
 * memory of another one.
 * test: breaks=4 decode=yes options=--file-locks skip='! grep -q __asan_report $CRIU'
 */
#include "share_vm.h"
#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

enum { RIGHTS, LIMITS, TIMERS, SIGNALS, LOCKS, NAME, FILTER, EVENTS, COPY, COUNT };

#define BIG (40ul << 20)

static char *big;
static int ends[2], alarm_count;
static timer_t timer;
static pid_t copier;

static void on_alarm(int sig)
{
	alarm_count++;
}

/* Credentials of this process alone: libc's functions would change those of all threads known to it. */
static void prepare_rights(void)
{
	need(!syscall(SYS_setresgid, 4711, 4712, 4713) && !syscall(SYS_setresuid, 1001, 1002, 1003), "ids");
}

static void verify_rights(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	check(r == 1001 && e == 1002 && s == 1003, "user %u %u %u", r, e, s);
	check(gr == 4711 && ge == 4712 && gs == 4713, "group %u %u %u", gr, ge, gs);
	check(status_field(getpid(), "CapEff", 16) == 0, "capabilities");
}

static void prepare_timers(void)
{
	const struct itimerval soon = { .it_interval = { .tv_sec = 3000 }, .it_value = { .tv_sec = 2000 } };
	const struct itimerspec later = { .it_interval = { .tv_sec = 50 }, .it_value = { .tv_sec = 5000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };

	need(!setitimer(ITIMER_REAL, &soon, NULL), "setitimer");
	need(!timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_settime(timer, 0, &later, NULL), "timer");
}

static void verify_timers(void)
{
	struct itimerval real = { 0 };
	struct itimerspec posix = { 0 };

	check(!getitimer(ITIMER_REAL, &real) && real.it_interval.tv_sec == 3000 && real.it_value.tv_sec <= 2000 &&
		      real.it_value.tv_sec > 1000,
	      "interval timer: %ld", real.it_value.tv_sec);
	check(!timer_gettime(timer, &posix) && posix.it_interval.tv_sec == 50 && posix.it_value.tv_sec > 4000,
	      "timer: %ld", posix.it_value.tv_sec);
}

static void prepare_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGALRM);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 77 });
}

static void verify_signals(void)
{
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	check(sigwaitinfo(&set, &info) == SIGRTMIN + 3 && info.si_value.sival_int == 77, "the queued signal");
	check(!alarm_count, "too early");
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	check(alarm_count == 1, "%d alarms", alarm_count);
}

static void prepare_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	int fd = open("locked", O_RDWR | O_CREAT, 0600);

	need(fd >= 0 && dup2(fd, 90) == 90 && !fcntl(90, F_SETLK, &lock), "lock");
}

static void verify_locks_from_outside(pid_t holder)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open("locked", O_RDWR);

	check(!fcntl(fd, F_GETLK, &lock) && lock.l_type == F_WRLCK && lock.l_pid == holder && lock.l_start == 10 &&
		      lock.l_len == 5,
	      "lock of %d: type %d, pid %d", holder, lock.l_type, lock.l_pid);
	close(fd);
}

static void prepare_events(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 4242 };
	int ep = epoll_create1(0);

	need(ep >= 0 && dup2(ep, 91) == 91 && !close(ep) && dup2(ends[0], 92) == 92, "epoll");
	need(!epoll_ctl(91, EPOLL_CTL_ADD, 92, &ev), "epoll_ctl");
	close(ends[0]);
}

static void verify_events(void)
{
	struct epoll_event ev = { 0 };
	char byte = 0;

	check(epoll_wait(91, &ev, 1, 30000) == 1 && ev.data.u32 == 4242, "epoll: %u", ev.data.u32);
	check(read(92, &byte, 1) == 1 && byte == 'x', "pipe: %d", byte);
}

static void prepare_copy(void)
{
	pid_t parent = getpid();

	copier = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0);
	need(copier >= 0, "clone");
	if (copier)
		return;
	memset(big + (1 << 20), 'c', 1 << 20);
	task_ready("copy");
	wait_go(0);
	for (size_t at = 0; at < BIG; at += 4096)
		if (big[at] != (at >> 20 == 1 ? 'c' : 'b'))
			_exit(1);
	_exit(getppid() == parent ? 0 : 2);
}

static void prepare(int nr)
{
	const struct rlimit limit = { 123, 456 };
	struct sock_filter_pass {
		unsigned short code;
		unsigned char jt, jf;
		unsigned int k;
	} pass = { 0x06, 0, 0, 0x7fff0000 };
	struct {
		unsigned short len;
		struct sock_filter_pass *filter;
	} prog = { 1, &pass };

	switch (nr) {
	case RIGHTS:
		return prepare_rights();
	case LIMITS:
		need(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
		return;
	case TIMERS:
		return prepare_timers();
	case SIGNALS:
		return prepare_signals();
	case LOCKS:
		return prepare_locks();
	case NAME:
		need(!prctl(PR_SET_NAME, "my own name") && !prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl");
		return;
	case FILTER:
		need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
			     !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog),
		     "seccomp");
		return;
	case EVENTS:
		return prepare_events();
	case COPY:
		return prepare_copy();
	}
}

static void verify_limits(void)
{
	struct rlimit limit = { 0, 0 };

	check(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == 123 && limit.rlim_max == 456, "limits %lu %lu",
	      limit.rlim_cur, limit.rlim_max);
}

static void verify_name(void)
{
	char name[16] = "";
	int reaper = 0;

	check(!prctl(PR_GET_NAME, name) && !strcmp(name, "my own name"), "name %s", name);
	check(!prctl(PR_GET_CHILD_SUBREAPER, &reaper) && reaper == 1, "child subreaper");
}

static int verify(int nr)
{
	struct rlimit limit = { 0, 0 };

	switch (nr) {
	case RIGHTS:
		verify_rights();
		break;
	case LIMITS:
		verify_limits();
		break;
	case TIMERS:
		verify_timers();
		break;
	case SIGNALS:
		verify_signals();
		break;
	case NAME:
		verify_name();
		break;
	case FILTER:
		check(prctl(PR_GET_SECCOMP) == 2 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "filter");
		break;
	case EVENTS:
		verify_events();
		break;
	case COPY:
		join_task(copier);
	}
	if (nr != LIMITS)
		check(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max != 456, "limits of another process");
	if (nr != RIGHTS)
		check(!getuid(), "user %d", getuid());
	if (nr != FILTER)
		check(!prctl(PR_GET_SECCOMP), "filter of another process");
	if (nr != SIGNALS)
		check(status_field(getpid(), "SigPnd", 16) == 0 && status_field(getpid(), "ShdPnd", 16) == 0,
		      "peer %d: signals wait", nr);
	return 40 + nr;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	signal(SIGALRM, on_alarm);
	signal(SIGUSR1, on_alarm);
	need(!pipe(ends), "pipe");
	big = map_anon(BIG, MAP_PRIVATE);
	memset(big, 'b', BIG);
	for (int i = 0; i < COUNT; i++)
		share_memory(i, SIGCHLD, prepare, verify);
	await_task("copy");
	close(ends[0]);
	switch (checkpoint_here()) {
	case 1:
		syscall(SYS_prlimit64, peers[LIMITS].pid, RLIMIT_NOFILE, &(struct rlimit){ 5, 5 }, NULL);
		break;
	case 2:
		kill(peers[SIGNALS].pid, SIGALRM);
		peers[SIGNALS].turn = 1;
		kill(peers[SIGNALS].pid, SIGKILL);
		break;
	case 3:
		kill(copier, SIGKILL);
		break;
	case 4:
		ends[1] = open("/dev/null", O_WRONLY);
	}
	check(write(ends[1], "x", 1) == 1, "write");
	verify_locks_from_outside(peers[LOCKS].pid);
	check(prctl(PR_GET_DUMPABLE) == 1 || prctl(PR_GET_DUMPABLE) == 0, "dumpable");
	for (int i = 0; i < COUNT; i++)
		take_turn(i, 0);
	test_done();
}
