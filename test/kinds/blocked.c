// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads blocked in system calls: none of them notices the dump, gets EINTR, or returns too early.
 * test: breaks=2 decode=yes ignore=.
 */
#include "checkpoint.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define SECOND_HALF 1.5 /* of a timeout that is still running at the dump */

struct blocked {
	const char *name;
	void (*fn)(struct blocked *b);
	long nr;
	int pipe[2];
	volatile pid_t tid;
	double began, took;
	long result;
	int error;
	pthread_t thread;
};

static int futex_word, futex_timed;
static pid_t child;

static int read_end(struct blocked *b)
{
	return b->pipe[0];
}

static void block_read(struct blocked *b)
{
	char c = 0;

	b->result = read(read_end(b), &c, 1) == 1 && c == 'x';
}

static void block_poll(struct blocked *b)
{
	struct pollfd p = { .fd = read_end(b), .events = POLLIN };

	b->result = poll(&p, 1, -1) == 1 && p.revents == POLLIN;
}

static void block_poll_timed(struct blocked *b)
{
	b->result = poll(NULL, 0, (int)(SECOND_HALF * 1000)) == 0;
}

static void block_ppoll(struct blocked *b)
{
	struct pollfd p = { .fd = read_end(b), .events = POLLIN };
	struct timespec ts = { .tv_sec = 100 };
	sigset_t set;

	sigfillset(&set);
	b->result = ppoll(&p, 1, &ts, &set) == 1;
}

static void block_select(struct blocked *b)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(read_end(b), &set);
	b->result = select(read_end(b) + 1, &set, NULL, NULL, &(struct timeval){ .tv_sec = 100 }) == 1;
}

static void block_epoll(struct blocked *b)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(ep, EPOLL_CTL_ADD, read_end(b), &e);
	b->result = epoll_wait(ep, &e, 1, -1) == 1;
	close(ep);
}

static void block_nanosleep(struct blocked *b)
{
	struct timespec ts = { .tv_sec = 1, .tv_nsec = 500000000 };

	b->result = syscall(SYS_nanosleep, &ts, NULL) == 0;
}

static void block_clock_nanosleep(struct blocked *b)
{
	struct timespec ts = { .tv_sec = 1, .tv_nsec = 500000000 };

	b->result = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL) == 0;
}

static void block_until(struct blocked *b)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 2;
	b->result = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0;
}

static void block_futex(struct blocked *b)
{
	b->result = syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0;
}

static void block_futex_timed(struct blocked *b)
{
	struct timespec ts = { .tv_sec = 1, .tv_nsec = 500000000 };

	b->result = syscall(SYS_futex, &futex_timed, FUTEX_WAIT, 0, &ts, NULL, 0) < 0 && errno == ETIMEDOUT;
}

static void block_wait4(struct blocked *b)
{
	int status;

	b->result = wait4(child, &status, 0, NULL) == child && WIFEXITED(status) && WEXITSTATUS(status) == 33;
}

static void block_sigwait(struct blocked *b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	b->result = sigwaitinfo(&set, NULL) == SIGUSR2;
}

static void on_usr1(int sig)
{
}

static void block_sigsuspend(struct blocked *b)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	b->result = sigsuspend(&set) < 0 && errno == EINTR;
}

static void block_pause(struct blocked *b)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	b->result = syscall(SYS_pause) < 0 && errno == EINTR;
}

static void block_write(struct blocked *b)
{
	static char big[4096];

	/* the pipe is full: a partial write would rightly return the number of bytes written */
	fcntl(b->pipe[1], F_SETFL, O_NONBLOCK);
	while (write(b->pipe[1], big, sizeof(big)) > 0)
		;
	fcntl(b->pipe[1], F_SETFL, 0);
	b->result = write(b->pipe[1], big, 10) == 10;
}

static void block_eventfd(struct blocked *b)
{
	uint64_t value;
	int fd = eventfd(0, 0);

	b->pipe[1] = fd;
	b->result = read(fd, &value, 8) == 8 && value;
}

static struct blocked all[] = {
	{ .name = "read", .fn = block_read, .nr = SYS_read },
	{ .name = "poll", .fn = block_poll, .nr = SYS_poll },
	{ .name = "poll, timed", .fn = block_poll_timed, .nr = SYS_poll },
	{ .name = "ppoll", .fn = block_ppoll, .nr = SYS_ppoll },
	{ .name = "select", .fn = block_select, .nr = SYS_pselect6 },
	{ .name = "epoll_wait", .fn = block_epoll, .nr = SYS_epoll_wait },
	{ .name = "nanosleep", .fn = block_nanosleep, .nr = SYS_nanosleep },
	{ .name = "clock_nanosleep", .fn = block_clock_nanosleep, .nr = SYS_clock_nanosleep },
	{ .name = "clock_nanosleep until", .fn = block_until, .nr = SYS_clock_nanosleep },
	{ .name = "futex", .fn = block_futex, .nr = SYS_futex },
	{ .name = "futex, timed", .fn = block_futex_timed, .nr = SYS_futex },
	{ .name = "wait4", .fn = block_wait4, .nr = SYS_wait4 },
	{ .name = "sigwaitinfo", .fn = block_sigwait, .nr = SYS_rt_sigtimedwait },
	{ .name = "sigsuspend", .fn = block_sigsuspend, .nr = SYS_rt_sigsuspend },
	{ .name = "pause", .fn = block_pause, .nr = SYS_pause },
	{ .name = "write", .fn = block_write, .nr = SYS_write },
	{ .name = "read of an eventfd", .fn = block_eventfd, .nr = SYS_read },
};

#define COUNT ((int)(sizeof(all) / sizeof(all[0])))

static bool is_timed(const struct blocked *b)
{
	return b->fn == block_poll_timed || b->fn == block_nanosleep || b->fn == block_clock_nanosleep ||
	       b->fn == block_futex_timed || b->fn == block_until;
}

static void *thread(void *arg)
{
	struct blocked *b = arg;

	b->began = now_s();
	b->tid = (pid_t)syscall(SYS_gettid);
	b->fn(b);
	b->error = errno;
	b->took = now_s() - b->began;
	return NULL;
}

static int child_body(void *arg)
{
	await_task("end");
	return 33;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	static char buf[80000];
	sigset_t set;
	int brk;

	test_init(argc, argv);
	sigaction(SIGUSR1, &sa, NULL);
	sigfillset(&set);
	sigdelset(&set, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	child = fork_task(child_body, NULL);
	for (int i = 0; i < COUNT; i++)
		need(!pipe(all[i].pipe) && !pthread_create(&all[i].thread, NULL, thread, &all[i]), "thread %s",
		     all[i].name);
	for (int i = 0; i < COUNT; i++) {
		while (!all[i].tid)
			sleep_ms(1);
		await_syscall(all[i].tid, all[i].nr);
	}

	brk = checkpoint_here();
	if (brk == 1)
		pthread_kill(all[14].thread, SIGUSR1), sleep_ms(50);
	if (brk == 2)
		check(write(all[0].pipe[1], "y", 1) == 1, "break");

	sleep_ms(30);
	for (int i = 0; i < COUNT; i++)
		check(is_timed(&all[i]) || !all[i].took, "%s returned early: %ld, errno %d", all[i].name, all[i].result,
		      all[i].error);
	for (int i = 0; i < COUNT; i++) {
		struct blocked *b = &all[i];
		uint64_t one = 1;

		if (b->took)
			continue;
		if (b->fn == block_futex) {
			__atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
			check(syscall(SYS_futex, &futex_word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1,
			      "no thread waits for the futex");
		} else if (b->fn == block_wait4) {
			task_ready("end");
		} else if (b->fn == block_sigwait) {
			pthread_kill(b->thread, SIGUSR2);
		} else if (b->fn == block_sigsuspend || b->fn == block_pause) {
			pthread_kill(b->thread, SIGUSR1);
		} else if (b->fn == block_write) {
			check(read(b->pipe[0], buf, sizeof(buf)) > 0, "read");
		} else if (b->fn == block_eventfd) {
			check(write(b->pipe[1], &one, 8) == 8, "write");
		} else if (!is_timed(b)) {
			check(write(b->pipe[1], "x", 1) == 1, "write");
		}
	}
	for (int i = 0; i < COUNT; i++) {
		struct blocked *b = &all[i];

		pthread_join(b->thread, NULL);
		check(b->result == 1, "%s: wrong result, errno %d", b->name, b->error);
		if (is_timed(b))
			check(b->took >= SECOND_HALF - 0.001, "%s: returned after %.3f s", b->name, b->took);
	}
	test_done();
}
