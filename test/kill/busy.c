// SPDX-License-Identifier: GPL-2.0-only
/*
 * A busy program that continuously checks itself: busy DIR. Threads that compute in vector registers, handle signals on
 * alternate stacks, block in system calls with and without timeouts, map and unmap, fork and wait; timers of all types;
 * two more processes that share its memory (CLONE_VM).
 * It writes DIR/ready once, DIR/beat repeatedly, DIR/wrong (and stops writing DIR/beat) as soon as a check fails.
 * SIGTERM ends it: status 0 if all was well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "report.h"

static volatile int ending;
static volatile long rounds[8];
/*
 * sigwaitinfo returns EINTR after any stop, also if the tracer is killed before it could restart the call: this cannot
 * be avoided. Counted, because a dumper that is alive must not let it happen. An epoll_wait with a timeout returns
 * EINTR after any stop, so that it does not wait for the full time again: this is not counted.
 */
static volatile long eintr;
static volatile sig_atomic_t ticks, usr1;
static int ring[2], ring_back[2];

#define must(cond, ...)                                                                            \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			char why[256];                                                             \
			snprintf(why, sizeof(why), __VA_ARGS__);                                   \
			put("wrong", "line %d: %s: %s (errno %d)\n", __LINE__, #cond, why, errno); \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void on_tick(int sig)
{
	ticks++;
}

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	char here;
	stack_t ss;

	usr1++;
	sigaltstack(NULL, &ss);
	if (!(ss.ss_flags & SS_ONSTACK) || &here < (char *)ss.ss_sp || &here > (char *)ss.ss_sp + ss.ss_size)
		abort();
}

/* Keeps values in general and vector registers across a spin and compares. */
static void *computer(void *arg)
{
	uint64_t in[4] __attribute__((aligned(32))), out[4] __attribute__((aligned(32)));
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
	int nr = (int)(intptr_t)arg;

	sigaltstack(&ss, NULL);
	for (uint64_t n = 1; !ending; n++) {
		uint64_t a = n * 0x9e3779b97f4a7c15UL, b = ~a, spin = 20000;

		in[0] = a;
		in[1] = b;
		in[2] = in[3] = n;
		__asm__ volatile("movups (%[in]), %%xmm3\n movups 16(%[in]), %%xmm15\n"
				 "1: dec %[spin]\n jnz 1b\n"
				 "movups %%xmm3, (%[out])\n movups %%xmm15, 16(%[out])\n"
				 : [spin] "+r"(spin), "+r"(a), "+r"(b)
				 : [in] "r"(in), [out] "r"(out)
				 : "xmm3", "xmm15", "memory", "cc");
		must(!memcmp(in, out, 32) && a == in[0] && b == in[1], "registers of thread %d", nr);
		rounds[nr]++;
	}
	return NULL;
}

static sigset_t odd_mask(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 5);
	sigaddset(&set, SIGALRM);
	return set;
}

/* Sleeps and waits of all types with timeouts: none too short, none but epoll_wait with EINTR, the mask unchanged. */
static void *sleeper(void *arg)
{
	sigset_t mask, now;
	struct timespec before, after, ts = { .tv_nsec = 4000000 };
	struct epoll_event e;
	int ep = epoll_create1(EPOLL_CLOEXEC), word = 0, got;
	static const char *names[] = { "nanosleep", "poll", "futex", "epoll_wait", "clock_nanosleep" };

	sigfillset(&now);
	sigdelset(&now, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &now, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &mask); /* libc reserves some */
	for (int n = 0; !ending; n++) {
		long took;

		clock_gettime(CLOCK_MONOTONIC, &before);
		errno = 0;
		switch (n % 5) {
		case 0:
			got = (int)syscall(SYS_nanosleep, &ts, NULL);
			break;
		case 1:
			got = poll(NULL, 0, 4);
			break;
		case 2:
			got = (int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0);
			got = got < 0 && errno == ETIMEDOUT ? 0 : -1;
			break;
		case 3:
			got = epoll_wait(ep, &e, 1, 4);
			break;
		default:
			got = (int)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
		}
		if (n % 5 == 3 && got < 0 && errno == EINTR)
			continue;
		must(got == 0, "%s gives %d", names[n % 5], got);
		clock_gettime(CLOCK_MONOTONIC, &after);
		took = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
		must(took >= 3990, "%s took %ld us", names[n % 5], took);
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		must(!memcmp(&now, &mask, 8), "mask %lx", *(unsigned long *)&now);
		rounds[2]++;
	}
	return NULL;
}

/* A ring of two through pipes: reads that block indefinitely. */
static void *ponger(void *arg)
{
	unsigned int n;

	while (read(ring[0], &n, sizeof(n)) == sizeof(n)) {
		n++;
		must(write(ring_back[1], &n, sizeof(n)) == sizeof(n), "write");
	}
	must(ending, "the ring is broken");
	return NULL;
}

static void *pinger(void *arg)
{
	unsigned int n = 1, got;

	for (; !ending; n += 2) {
		must(write(ring[1], &n, sizeof(n)) == sizeof(n), "write");
		must(read(ring_back[0], &got, sizeof(got)) == sizeof(got) && got == n + 1, "read gives %u, not %u", got,
		     n + 1);
		rounds[3]++;
	}
	close(ring[1]);
	return NULL;
}

/* Children are forked and exit; memory is mapped and unmapped. */
static void *forker(void *arg)
{
	while (!ending) {
		char *mem = mmap(NULL, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int status = -1;
		pid_t pid, got;

		must(mem != MAP_FAILED, "mmap");
		memset(mem, (int)rounds[4], 16 << 12);
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid) {
			/* the child may be dumped, too */
			usleep(3000);
			_exit(mem[5000] == (char)rounds[4] ? 42 : 1);
		}
		got = waitpid(pid, &status, 0);
		must(got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42, "wait gives %d, status %#x", got,
		     status);
		must(!munmap(mem, 16 << 12), "munmap");
		rounds[4]++;
	}
	return NULL;
}

/* Ordered signals to a thread that waits for them. */
static void *receiver(void *arg)
{
	sigset_t set;
	siginfo_t si;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 6);
	while (!ending) {
		int sig = sigwaitinfo(&set, &si);

		if (sig < 0 && errno == EINTR) {
			eintr++;
			continue;
		}
		must(sig == SIGRTMIN + 6, "sigwaitinfo gives %d", sig);
		must(si.si_value.sival_int == n, "got signal %d, not %d", si.si_value.sival_int, n);
		n++;
		rounds[5]++;
	}
	return NULL;
}

/*
 * A process that shares this memory (CLONE_VM). libc's per-thread data belongs to the main thread: only raw system
 * calls, none of which fails. Odd rounds sleep, even ones compute.
 */
static int vm_peer(void *arg)
{
	int nr = (int)(intptr_t)arg;
	long pid = syscall(SYS_getpid);
	const struct timespec ts = { .tv_nsec = 2000000 };

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t n = 1;; n++) {
		uint64_t a = n * 0x9e3779b97f4a7c15UL, b = a, spin = 20000;

		if (n & 1)
			syscall(SYS_nanosleep, &ts, NULL);
		else
			__asm__ volatile("1: dec %[spin]\n jnz 1b" : [spin] "+r"(spin), "+r"(a) : : "cc");
		must(a == b && syscall(SYS_getpid) == pid, "registers of peer %d", nr);
		rounds[nr]++;
	}
	return 0;
}

static int start_vm_peers(void)
{
	static char stacks[2][64 << 10] __attribute__((aligned(16)));

	return clone(vm_peer, stacks[0] + sizeof(stacks[0]), CLONE_VM | SIGCHLD, (void *)6) > 0 &&
	       clone(vm_peer, stacks[1] + sizeof(stacks[1]),
		     CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS | SIGCHLD, (void *)7) > 0;
}

static void on_term(int sig)
{
	ending = 1;
}

static long number_of_maps(void)
{
	char line[512];
	long n = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n;
}

static void handle_signals(void)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&ss, NULL);
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGRTMIN + 5, &sa, NULL);
	sa.sa_handler = on_term;
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_sigaction = on_usr1;
	sa.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGUSR1, &sa, NULL);
}

/* All start with all signals blocked: signals go to the main thread and to the computing threads. */
static bool start_threads(pthread_t threads[7], sigset_t computers)
{
	void *(*fn[])(void *) = { computer, computer, sleeper, ponger, pinger, forker, receiver };
	sigset_t full;

	sigfillset(&full);
	sigdelset(&full, SIGSEGV);
	sigaddset(&computers, SIGTERM);
	sigaddset(&computers, SIGRTMIN + 6);
	for (int i = 0; i < 7; i++) {
		pthread_sigmask(SIG_SETMASK, i < 2 ? &computers : &full, NULL);
		if (pthread_create(&threads[i], NULL, fn[i], (void *)(intptr_t)i))
			return false;
	}
	return true;
}

/* Starts a timer of each type; returns the descriptor of the timerfd. */
static int start_timers(void)
{
	struct itimerval it = { .it_interval = { 0, 3000 }, .it_value = { 0, 3000 } };
	struct itimerspec its = { .it_interval = { 0, 2000000 }, .it_value = { 0, 2000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 5 };
	timer_t timer;
	int tfd;

	setitimer(ITIMER_REAL, &it, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &its, NULL);
	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(tfd, 0, &its, NULL);
	return tfd;
}

static void check_mask(void)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	must(sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGRTMIN + 6) == 1 && !sigismember(&now, SIGALRM) &&
		     !sigismember(&now, SIGTERM),
	     "mask %lx", *(unsigned long *)&now);
}

static void beat(long n)
{
	static long maps;
	long maps_now = number_of_maps();

	/* the forker's mapping exists only at times, and may be merged */
	if (n == 200)
		maps = maps_now;
	must(!maps || labs(maps_now - maps) <= 4, "%ld mappings, were %ld", maps_now, maps);
	put("beat", "%ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld\n", n, rounds[0], rounds[1], rounds[2], rounds[3],
	    rounds[4], rounds[5], rounds[6], rounds[7], (long)ticks, (long)usr1, eintr);
	if (n == 20)
		put("ready", "%d\n", getpid());
}

static void run(pthread_t threads[7], int tfd)
{
	for (long n = 0; !ending; n++) {
		union sigval value = { .sival_int = (int)n };
		uint64_t expired;
		ssize_t got = read(tfd, &expired, 8);

		must(got == 8 && expired >= 1, "timerfd gives %zd", got);
		if (syscall(SYS_gettid) == getpid())
			pthread_sigqueue(threads[6], SIGRTMIN + 6, value);
		pthread_kill(threads[n % 2], SIGUSR1);
		check_mask();
		if (n % 20 == 0)
			beat(n);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[7];
	sigset_t mask = odd_mask();

	if (argc < 2)
		return 2;
	dir = argv[1];
	handle_signals();
	if (pipe(ring) || pipe(ring_back))
		return 3;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!start_threads(threads, mask))
		return 4;
	if (!start_vm_peers())
		return 5;
	/* They must have set up their alternate stacks before the first signal is sent. */
	while (!rounds[0] || !rounds[1])
		usleep(1000);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMIN + 6);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	run(threads, start_timers());
	for (int i = 0; i < 6; i++)
		must(rounds[i] > 0, "thread %d did nothing", i);
	pthread_sigqueue(threads[6], SIGRTMIN + 6, (union sigval){ .sival_int = (int)rounds[5] });
	put("ended", "well\n");
	_exit(0);
}
