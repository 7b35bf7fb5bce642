// SPDX-License-Identifier: GPL-2.0-only
/* Every type of blocking system call continues correctly after a session: result, errno, remaining time. */
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "base/bits.h"
#include "help.h"

#define SLEEP_MS 200
#define ENDED 1 /* the remaining time is unknown: EINTR */
#define EVENT 2 /* ended by an event of the test, not by a timeout */

struct seen {
	volatile int ready, done;
	volatile long result, error;
	volatile double took;
};

struct world {
	struct seen *seen;
	int fds[2], pair[2], epoll, listener, sem;
	struct sockaddr_un address;
	unsigned int word;
	struct timespec ts, until;
	struct timeval tv;
	sigset_t usr1, none;
};

static struct world w;

static long by_nanosleep(void)
{
	return syscall(SYS_nanosleep, &w.ts, NULL);
}

static long by_clock_nanosleep(void)
{
	struct timespec left;

	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &w.ts, &left);
}

static long by_clock_nanosleep_abs(void)
{
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &w.until, NULL);
}

static long by_poll(void)
{
	struct pollfd p = { w.fds[0], POLLIN, 0 };

	return syscall(SYS_poll, &p, 1, SLEEP_MS);
}

static long by_ppoll(void)
{
	struct pollfd p = { w.fds[0], POLLIN, 0 };

	return syscall(SYS_ppoll, &p, 1, &w.ts, NULL, 8);
}

static long by_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(w.fds[0], &set);
	return syscall(SYS_select, w.fds[0] + 1, &set, NULL, NULL, &w.tv);
}

static long by_futex_timeout(void)
{
	return syscall(SYS_futex, &w.word, FUTEX_WAIT_PRIVATE, 0, &w.ts, NULL, 0);
}

static long by_futex_abs(void)
{
	return syscall(SYS_futex, &w.word, FUTEX_WAIT_BITSET_PRIVATE, 0, &w.until, NULL, -1);
}

static long by_epoll_time(void)
{
	struct epoll_event ev;

	return epoll_wait(w.epoll, &ev, 1, SLEEP_MS);
}

static long by_sigtimedwait_time(void)
{
	return sigtimedwait(&w.usr1, NULL, &w.ts);
}

static long by_recv_timeout(void)
{
	char c;

	return recv(w.pair[0], &c, 1, 0);
}

static long by_semtimedop(void)
{
	struct sembuf op = { 0, -1, 0 };

	return semtimedop(w.sem, &op, 1, &w.ts);
}

static long by_pipe(void)
{
	char c;

	return read(w.fds[0], &c, 1);
}

static long by_epoll(void)
{
	struct epoll_event ev;

	return epoll_wait(w.epoll, &ev, 1, -1);
}

static long by_poll_forever(void)
{
	struct pollfd p = { w.fds[0], POLLIN, 0 };

	return poll(&p, 1, -1);
}

static long by_accept(void)
{
	return accept(w.listener, NULL, NULL) >= 0;
}

static long by_sem(void)
{
	struct sembuf op = { 0, -1, 0 };

	return semop(w.sem, &op, 1);
}

static long by_wait4(void)
{
	pid_t child = fork();
	char c;

	if (!child)
		_exit(read(w.fds[0], &c, 1) == 1 ? 0 : 1);
	return waitpid(child, NULL, 0) == child;
}

static long by_pause(void)
{
	return pause();
}

static long by_sigsuspend(void)
{
	sigprocmask(SIG_BLOCK, &w.usr1, NULL);
	return sigsuspend(&w.none);
}

static long by_sigwaitinfo(void)
{
	return sigwaitinfo(&w.usr1, NULL);
}

static long by_timerfd(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec it = { .it_value = w.ts };
	uint64_t n;

	timerfd_settime(fd, 0, &it, NULL);
	return read(fd, &n, sizeof(n));
}

static long by_spin(void)
{
	double end = now() + SLEEP_MS / 1e3;
	long n = 0;

	while (now() < end)
		n++;
	return n > 0;
}

static const struct wait_case {
	const char *name;
	long (*body)(void);
	long result;
	int error, flags;
} cases[] = {
	{ "nanosleep", by_nanosleep, 0, 0, 0 },
	{ "clock_nanosleep", by_clock_nanosleep, 0, 0, 0 },
	{ "clock_nanosleep_absolute", by_clock_nanosleep_abs, 0, 0, 0 },
	{ "poll", by_poll, 0, 0, 0 },
	{ "ppoll", by_ppoll, 0, 0, 0 },
	{ "select", by_select, 0, 0, 0 },
	{ "futex_timeout", by_futex_timeout, -1, ETIMEDOUT, 0 },
	{ "futex_absolute", by_futex_abs, -1, ETIMEDOUT, 0 },
	{ "timerfd", by_timerfd, 8, 0, 0 },
	{ "spin", by_spin, 1, 0, 0 },
	{ "epoll_wait_timeout", by_epoll_time, -1, EINTR, ENDED },
	{ "sigtimedwait", by_sigtimedwait_time, -1, EINTR, ENDED },
	{ "recv_timeout", by_recv_timeout, -1, EINTR, ENDED },
	{ "semtimedop", by_semtimedop, -1, EINTR, ENDED },
	{ "pipe", by_pipe, 1, 0, EVENT },
	{ "epoll_wait", by_epoll, 1, 0, EVENT },
	{ "poll_forever", by_poll_forever, 1, 0, EVENT },
	{ "accept", by_accept, 1, 0, EVENT },
	{ "semop", by_sem, 0, 0, EVENT },
	{ "wait4", by_wait4, 1, 0, EVENT },
	{ "pause", by_pause, -1, EINTR, EVENT },
	{ "sigsuspend", by_sigsuspend, -1, EINTR, EVENT },
	{ "sigwaitinfo", by_sigwaitinfo, SIGUSR1, 0, EVENT },
};

static void on_signal(int sig)
{
}

static void make_world(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	socklen_t len = sizeof(sa_family_t);
	struct timeval tv = { 0, SLEEP_MS * 1000 };

	w.ts = (struct timespec){ 0, SLEEP_MS * 1000000l };
	w.tv = tv;
	sigemptyset(&w.none);
	sigemptyset(&w.usr1);
	sigaddset(&w.usr1, SIGUSR1);
	if (pipe2(w.fds, O_CLOEXEC) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w.pair))
		exit(1);
	setsockopt(w.pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(w.epoll, EPOLL_CTL_ADD, w.fds[0], &ev);
	w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	w.address.sun_family = AF_UNIX;
	if (bind(w.listener, (void *)&w.address, len) || listen(w.listener, 1))
		exit(1);
	w.sem = semget(IPC_PRIVATE, 1, 0600);
}

static void body(void *arg)
{
	const struct wait_case *c = arg;
	struct sigaction sa = { .sa_handler = on_signal };
	double start;

	sigaction(SIGUSR1, &sa, NULL);
	if (c->body == by_sigtimedwait_time || c->body == by_sigwaitinfo)
		sigprocmask(SIG_BLOCK, &w.usr1, NULL);
	clock_gettime(CLOCK_MONOTONIC, &w.until);
	w.until.tv_nsec += SLEEP_MS * 1000000l;
	if (w.until.tv_nsec >= 1000000000l) {
		w.until.tv_nsec -= 1000000000l;
		w.until.tv_sec++;
	}
	w.seen->ready = 1;
	start = now();
	w.seen->result = c->body();
	w.seen->error = errno;
	w.seen->took = now() - start;
	w.seen->done = 1;
	for (;;)
		pause();
}

static void make_event(const struct wait_case *c, pid_t pid)
{
	struct sembuf op = { 0, 1, 0 };
	socklen_t len = sizeof(w.address);
	int s;

	if (c->body == by_accept) {
		getsockname(w.listener, (void *)&w.address, &len);
		s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(s, (void *)&w.address, len))
			perror("connect");
		close(s);
	} else if (c->body == by_sem) {
		semop(w.sem, &op, 1);
	} else if (c->body == by_pause || c->body == by_sigsuspend || c->body == by_sigwaitinfo) {
		kill(pid, SIGUSR1);
	} else if (write(w.fds[1], "x", 1) != 1) {
		perror("write");
	}
}

static void drain(void)
{
	char c;

	fcntl(w.fds[0], F_SETFL, O_NONBLOCK);
	while (read(w.fds[0], &c, 1) == 1)
		;
	fcntl(w.fds[0], F_SETFL, 0);
}

struct outcome {
	int err, line;
	bool right, late;
};

static struct outcome try_case(const struct wait_case *c, int sessions)
{
	double least = SLEEP_MS, most = SLEEP_MS + 40;
	struct outcome o = { 0 };
	pid_t pid;

	*w.seen = (struct seen){ 0 };
	pid = victim(body, (void *)c);
	while (!w.seen->ready)
		usleep(100);
	for (int i = 0; i < sessions && !o.line; i++) {
		usleep(30000);
		o.line = session(pid, &o.err);
	}
	if (c->flags & EVENT) {
		usleep(10000);
		o.line = o.line ? o.line : w.seen->done ? -1 : 0;
		make_event(c, pid);
	}
	if (c->flags & ENDED)
		least = 30;
	for (int i = 0; i < 600000 && !w.seen->done; i++)
		usleep(100);
	o.right = !o.line && w.seen->done && (w.seen->result == c->result || (c->body == by_spin && w.seen->result)) &&
		  (w.seen->result != -1 || w.seen->error == c->error) &&
		  ((c->flags & EVENT) || w.seen->took * 1e3 >= least - 1);
	o.late = !(c->flags & EVENT) && w.seen->took * 1e3 >= most;
	end_victim(pid);
	drain();
	return o;
}

/* On a busy machine a sleep may end late once; one that is restarted with its full timeout is late every time. */
static void run_case(const struct wait_case *c, int sessions)
{
	struct outcome o = { .right = true, .late = true };

	for (int i = 0; i < 20 && o.right && o.late; i++)
		o = try_case(c, sessions);
	report(c->name, o.right && !o.late, "session %d (%s), done %d, result %ld, errno %ld, %.0f ms", o.line,
	       strerror(-o.err), w.seen->done, w.seen->result, w.seen->error, w.seen->took * 1e3);
}

int main(int argc, char **argv)
{
	int sessions = argc > 1 ? atoi(argv[1]) : 2;

	w.seen = shared_page();
	make_world();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], sessions);
	semctl(w.sem, 0, IPC_RMID);
	return test_result();
}
