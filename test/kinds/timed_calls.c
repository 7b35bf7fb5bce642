// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads in waits with a timeout continue with the remaining time, and with unchanged registers: the remaining time is
 * known only to the kernel, and has to be passed again. If it is not available, the call returns EINTR. Threads that
 * wait for an event, without a timeout, notice nothing.
 * test: breaks=1 timeout=120 ignore=SigBlk
 */
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include "checkpoint.h"

#define LIMIT_MS 9000L
#define BEFORE_MS 6500L
/* After the checkpoint: a full timeout would expire later, the remaining time expires long before. */
#define AFTER_MS 8000L
#define FAR_MS 3600000L
#define ALL_BITS 0xffffffffl

enum { FUTEX2_U32 = 2, FUTEX2_PRIVATE = 128, NR_FUTEX_WAITV = 449, NR_FUTEX2_WAIT = 455, NR_EPOLL_PWAIT2 = 441 };

static struct timespec limit = { LIMIT_MS / 1000, LIMIT_MS % 1000 * 1000000 }, far_off = { FAR_MS / 1000, 0 };
static struct timespec until, until_real; /* the end of the timeout, by two clocks */
/* The kernel writes the remaining time into these. */
static struct timespec rest[2], ppoll_limit, pselect_limit;
static struct timeval select_limit;
static uint32_t word = 7, all_done;
static struct pollfd silent = { .events = POLLIN };
static uint64_t usr1 = 1ull << (SIGUSR1 - 1), usr2 = 1ull << (SIGUSR2 - 1);
static struct sembuf down = { .sem_op = -1 }, down_too = { .sem_num = 1, .sem_op = -1 };
static struct {
	uint64_t value, address;
	uint32_t flags, reserved;
} waitv = { 7, (uint64_t)&word, FUTEX2_U32 | FUTEX2_PRIVATE, 0 };
static struct {
	uint64_t sigmask;
	uint32_t size, min_wait;
	uint64_t ts;
} ring_wait = { 0, 8, 0, (uint64_t)&limit };
static struct io_event event;
static struct epoll_event ready;
static char bytes[65536];
static struct iovec vec = { bytes, 1 };
static struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &vec, .msg_iovlen = 1 } },
				      { .msg_hdr = { .msg_iov = &vec, .msg_iovlen = 1 } } };

struct call {
	const char *name;
	long nr, args[6], result;
	bool ended; /* or EINTR */
	/* results */
	bool done;
	pid_t tid;
	double end;
	long got, after[6];
	pthread_t thread;
};
#define CALL(what, number, value, ...)                                               \
	{                                                                            \
		.name = what, .nr = number, .args = { __VA_ARGS__ }, .result = value \
	}
#define ENDED(what, number, value, ...)                                                             \
	{                                                                                           \
		.name = what, .nr = number, .args = { __VA_ARGS__ }, .result = value, .ended = true \
	}

static struct call calls[64] = {
	CALL("poll", SYS_poll, 0, (long)&silent, 1, LIMIT_MS),
	CALL("poll of nothing", SYS_poll, 0, 0, 0, LIMIT_MS),
	CALL("nanosleep", SYS_nanosleep, 0, (long)&limit, 0),
	CALL("nanosleep, with remaining time", SYS_nanosleep, 0, (long)&limit, (long)&rest[0]),
	CALL("clock_nanosleep", SYS_clock_nanosleep, 0, CLOCK_BOOTTIME, 0, (long)&limit, 0),
	CALL("clock_nanosleep by wall clock", SYS_clock_nanosleep, 0, CLOCK_REALTIME, 0, (long)&limit, 0),
	CALL("clock_nanosleep, with remaining time", SYS_clock_nanosleep, 0, CLOCK_MONOTONIC, 0, (long)&limit,
	     (long)&rest[1]),
	CALL("futex", SYS_futex, -ETIMEDOUT, (long)&word, FUTEX_WAIT_PRIVATE, 7, (long)&limit),
	CALL("futex, shared", SYS_futex, -ETIMEDOUT, (long)&word, FUTEX_WAIT, 7, (long)&limit),
	CALL("ppoll", SYS_ppoll, 0, (long)&silent, 1, (long)&ppoll_limit, 0, 8),
	CALL("select", SYS_select, 0, 0, 0, 0, 0, (long)&select_limit),
	CALL("pselect", SYS_pselect6, 0, 0, 0, 0, 0, (long)&pselect_limit, 0),
	CALL("clock_nanosleep until", SYS_clock_nanosleep, 0, CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&until, 0),
	CALL("futex until", SYS_futex, -ETIMEDOUT, (long)&word, FUTEX_WAIT_BITSET_PRIVATE, 7, (long)&until, 0,
	     ALL_BITS),
};
/* Ended by an event, not by the timeout. */
static struct call woken[32] = {
	CALL("woken futex", SYS_futex, 0, (long)&word, FUTEX_WAIT_PRIVATE, 7, (long)&far_off),
	CALL("poll forever", SYS_poll, 1, (long)&silent, 1, -1),
	CALL("woken poll", SYS_poll, 1, (long)&silent, 1, FAR_MS),
	CALL("sigwaitinfo", SYS_rt_sigtimedwait, SIGUSR2, (long)&usr2, 0, 0, 8),
};
static size_t nr_calls = 14, nr_woken = 4;

static void *wait_in(void *arg)
{
	struct call *c = arg;
	register long r10 __asm__("r10"), r8 __asm__("r8"), r9 __asm__("r9");
	long a = c->args[0], b = c->args[1], d = c->args[2], nr = c->nr;

	__atomic_store_n(&c->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	r10 = c->args[3]; /* there must be no call in between */
	r8 = c->args[4];
	r9 = c->args[5];
	__asm__ volatile("syscall"
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(d), "+r"(r10), "+r"(r8), "+r"(r9)::"rcx", "r11", "memory");
	c->after[3] = r10;
	c->after[4] = r8;
	c->after[5] = r9;
	c->after[0] = a;
	c->after[1] = b;
	c->after[2] = d;
	c->got = nr;
	c->end = now_s();
	__atomic_store_n(&c->done, true, __ATOMIC_SEQ_CST);
	/* A missing thread would be a difference for the comparison from outside. */
	while (!__atomic_load_n(&all_done, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &all_done, FUTEX_WAIT_PRIVATE, 0, NULL);
	return NULL;
}

static void await_end(const struct call *c)
{
	while (!__atomic_load_n(&c->done, __ATOMIC_SEQ_CST))
		sleep_ms(1);
}

static void start(struct call *c)
{
	need(!pthread_create(&c->thread, NULL, wait_in, c), "%s", c->name);
	while (!__atomic_load_n(&c->tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(c->tid, c->nr);
}

static void check_registers(const struct call *c)
{
	for (int i = 0; i < 6; i++)
		check(c->after[i] == c->args[i], "%s: argument %d is %lx, not %lx", c->name, i, c->after[i],
		      c->args[i]);
}

static void add(struct call c)
{
	calls[nr_calls++] = c;
}

static void add_woken(struct call c)
{
	woken[nr_woken++] = c;
}

#define ADD(...) add((struct call)ENDED(__VA_ARGS__))
#define ADD_WOKEN(...) add_woken((struct call)CALL(__VA_ARGS__))

static void epolls(void)
{
	struct epoll_event in = { .events = EPOLLIN };
	int quiet = epoll_create1(0), ep = epoll_create1(0);

	need(quiet >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, silent.fd, &in), "epoll");
	ADD("epoll_wait", SYS_epoll_wait, 0, quiet, (long)&ready, 1, LIMIT_MS);
	ADD("epoll_pwait", SYS_epoll_pwait, 0, quiet, (long)&ready, 1, LIMIT_MS, 0, 8);
	ADD("epoll_pwait2", NR_EPOLL_PWAIT2, 0, quiet, (long)&ready, 1, (long)&limit, 0, 8);
	ADD_WOKEN("epoll_wait forever", SYS_epoll_wait, 1, ep, (long)&ready, 1, -1);
	ADD_WOKEN("epoll_pwait2 forever", NR_EPOLL_PWAIT2, 1, ep, (long)&ready, 1, 0, 0, 8);
}

static int sem, woken_pair[2], mm_pair[2];

static void semaphores(void)
{
	sem = semget(IPC_PRIVATE, 2, 0600);
	need(sem >= 0, "semget");
	ADD("semtimedop", SYS_semtimedop, -EAGAIN, sem, (long)&down, 1, (long)&limit);
	ADD_WOKEN("semop", SYS_semop, 0, sem, (long)&down_too, 1);
	ADD_WOKEN("semtimedop forever", SYS_semtimedop, 0, sem, (long)&down_too, 1, 0);
}

static void sockets(void)
{
	const struct timeval tv = { LIMIT_MS / 1000, LIMIT_MS % 1000 * 1000 };
	int pair[2], listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_STREAM, 0, woken_pair) &&
		     !socketpair(AF_UNIX, SOCK_DGRAM, 0, mm_pair),
	     "socketpair");
	need(!bind(listener, (void *)&name, sizeof(sa_family_t)) && !listen(listener, 1), "listen");
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (send(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ADD("recv", SYS_recvfrom, -EAGAIN, pair[0], (long)bytes, 1);
	ADD("read of a socket", SYS_read, -EAGAIN, pair[0], (long)bytes, 1);
	ADD("send", SYS_sendto, -EAGAIN, pair[0], (long)bytes, 60000);
	ADD("write to a socket", SYS_write, -EAGAIN, pair[0], (long)bytes, 60000);
	ADD("accept", SYS_accept4, -EAGAIN, listener, 0, 0, SOCK_CLOEXEC);
	ADD_WOKEN("recv forever", SYS_recvfrom, 1, woken_pair[0], (long)bytes, 1);
}

static void terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct termios t;

	need(master >= 0 && !unlockpt(master), "pty");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	need(slave >= 0 && !tcgetattr(slave, &t), "pty");
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = LIMIT_MS / 100;
	need(!tcsetattr(slave, TCSANOW, &t), "termios");
	ADD("read of a terminal", SYS_read, 0, slave, (long)bytes, 1);
}

static void requests(void)
{
	struct io_uring_params params = { 0 };
	unsigned long context = 0;
	int ring;

	need(!syscall(SYS_io_setup, 8, &context), "io_setup");
	ADD("io_getevents", SYS_io_getevents, 0, (long)context, 1, 1, (long)&event, (long)&limit);
	ADD("io_pgetevents", SYS_io_pgetevents, 0, (long)context, 1, 1, (long)&event, (long)&limit, 0);
	ring = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (ring < 0)
		return; /* sysctl kernel.io_uring_disabled */
	ADD("io_uring_enter", SYS_io_uring_enter, -ETIME, ring, 0, 1, IORING_ENTER_GETEVENTS | 8, (long)&ring_wait,
	    sizeof(ring_wait));
}

static void queue(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 64 };
	mqd_t q = mq_open("/timed_calls", O_RDWR | O_CREAT | O_CLOEXEC, 0600, &attr);

	if (q < 0)
		return; /* no such file system here */
	mq_unlink("/timed_calls");
	add((struct call)CALL("mq_timedreceive", SYS_mq_timedreceive, -ETIMEDOUT, q, (long)bytes, 64, 0,
			      (long)&until_real));
}

/* Of newer kernels. */
static void futexes(void)
{
	if (syscall(NR_FUTEX_WAITV, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS)
		add((struct call)CALL("futex_waitv", NR_FUTEX_WAITV, -ETIMEDOUT, (long)&waitv, 1, 0, (long)&until,
				      CLOCK_MONOTONIC));
	if (syscall(NR_FUTEX2_WAIT, NULL, 0, 0, 0, NULL, 0) < 0 && errno != ENOSYS)
		add((struct call)CALL("futex_wait", NR_FUTEX2_WAIT, -ETIMEDOUT, (long)&word, 7, ALL_BITS,
				      FUTEX2_U32 | FUTEX2_PRIVATE, (long)&until, CLOCK_MONOTONIC));
}

static void set_up(void)
{
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &both, NULL);
	clock_gettime(CLOCK_MONOTONIC, &until);
	clock_gettime(CLOCK_REALTIME, &until_real);
	until.tv_sec += LIMIT_MS / 1000;
	until_real.tv_sec += LIMIT_MS / 1000;
	ppoll_limit = pselect_limit = limit;
	select_limit = (struct timeval){ LIMIT_MS / 1000, LIMIT_MS % 1000 * 1000 };
	epolls();
	semaphores();
	sockets();
	terminal();
	requests();
	queue();
	futexes();
	ADD("sigtimedwait", SYS_rt_sigtimedwait, -EAGAIN, (long)&usr1, 0, (long)&limit, 8);
}

/*
 * The kernel checks the timeout of this call only when a message arrives: after another wait for one it does not expire
 * then.
 */
static void check_recvmmsg(struct call *c, double begin)
{
	long left = LIMIT_MS + 200 - (long)((now_s() - begin) * 1000);

	sleep_ms(left > 0 ? left : 0);
	need(send(mm_pair[1], "x", 1, 0) == 1, "send");
	await_end(c);
	check(c->got == -EINTR || c->got == 1, "%s returns %ld", c->name, c->got);
	check_registers(c);
}

static void check_call(struct call *c, double begin, double at)
{
	await_end(c);
	if (!c->ended || c->got != -EINTR) {
		check(c->got == c->result, "%s returns %ld", c->name, c->got);
		/* This timeout is a time by the wall clock, which advances between dump and restore. */
		check(c->nr == SYS_mq_timedreceive || c->end - begin >= LIMIT_MS / 1000.0, "%s took only %.3f s",
		      c->name, c->end - begin);
	}
	check(c->end - at < AFTER_MS / 1000.0, "%s waited for %.3f s more", c->name, c->end - at);
	check_registers(c);
}

static void wake_all(int pipe_in)
{
	unsigned short two[2] = { 0, 2 };

	for (size_t i = 0; i < nr_woken; i++)
		check(!woken[i].done, "%s returned early: %ld", woken[i].name, woken[i].got);
	need(write(pipe_in, "x", 1) == 1 && write(woken_pair[1], "x", 1) == 1, "write");
	need(!semctl(sem, 0, SETALL, two), "semctl");
	pthread_kill(woken[3].thread, SIGUSR2);
	while (syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1) != 1)
		sleep_ms(1);
	for (size_t i = 0; i < nr_woken; i++) {
		await_end(&woken[i]);
		check(woken[i].got == woken[i].result, "%s returns %ld", woken[i].name, woken[i].got);
		check_registers(&woken[i]);
	}
}

int main(int argc, char **argv)
{
	struct call mm = CALL("recvmmsg", SYS_recvmmsg, 0, 0, (long)messages, 2, 0, (long)&limit);
	double begin, at;
	int ends[2];

	test_init(argc, argv);
	need(!pipe(ends), "pipe");
	silent.fd = ends[0];
	begin = now_s();
	set_up();
	mm.args[0] = mm_pair[0];
	start(&mm);
	for (size_t i = 0; i < nr_calls; i++)
		start(&calls[i]);
	for (size_t i = 0; i < nr_woken; i++)
		start(&woken[i]);
	sleep_ms(BEFORE_MS - (long)((now_s() - begin) * 1000));
	if (checkpoint_here())
		sleep_ms(LIMIT_MS), calls[0].args[0]++;
	at = now_s();
	for (size_t i = 0; i < nr_calls; i++)
		check_call(&calls[i], begin, at);
	check_recvmmsg(&mm, begin);
	wake_all(ends[1]);
	semctl(sem, 0, IPC_RMID);
	test_done();
}
