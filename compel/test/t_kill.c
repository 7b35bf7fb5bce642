// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracer is killed: at every call of the library that affects the target in turn, and at random instants. Each time
 * the target continues with its own registers, mask and maps, and is not traced. Argument: rounds per victim.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "base/bits.h"
#include "help.h"

struct shared {
	volatile long turns; /* of the victim's loop */
	volatile long bad; /* errors in it */
	volatile long bad_value;
	volatile long signals;
	volatile long interrupted; /* calls that returned EINTR; see epoll_loop */
};

static struct shared *shared;
static uint64_t own_mask;
static int fds[2];

/* Registers: each contains another value, which a loop without any call checks; the red zone too. */
static void registers_loop(void)
{
	volatile long *at = &shared->turns;

	__asm__ volatile(
		"mov %%rax, %%r15\n"
		"mov $0x11, %%eax\n mov $0x22, %%ebx\n mov $0x33, %%ecx\n mov $0x44, %%edx\n"
		"mov $0x55, %%esi\n mov $0x66, %%edi\n mov $0x88, %%r8d\n mov $0x99, %%r9d\n"
		"mov $0x1010, %%r10d\n mov $0x1111, %%r11d\n mov $0x1212, %%r12d\n mov $0x1313, %%r13d\n"
		"mov %%rsp, %%r14\n movq %%r12, %%xmm7\n movq %%r13, %%xmm15\n"
		"movq $0x5a5a, -8(%%rsp)\n movq $0x6b6b, -120(%%rsp)\n std\n"
		"1: cmp $0x11, %%rax\n jne 9f\n cmp $0x22, %%rbx\n jne 9f\n cmp $0x33, %%rcx\n jne 9f\n"
		"cmp $0x44, %%rdx\n jne 9f\n cmp $0x55, %%rsi\n jne 9f\n cmp $0x66, %%rdi\n jne 9f\n"
		"cmp $0x88, %%r8\n jne 9f\n cmp $0x99, %%r9\n jne 9f\n cmp $0x1010, %%r10\n jne 9f\n"
		"cmp $0x1111, %%r11\n jne 9f\n cmp $0x1212, %%r12\n jne 9f\n cmp $0x1313, %%r13\n jne 9f\n"
		"cmp %%rsp, %%r14\n jne 9f\n cmpq $0x5a5a, -8(%%rsp)\n jne 9f\n cmpq $0x6b6b, -120(%%rsp)\n jne 9f\n"
		"movq %%xmm7, %%rax\n cmp %%rax, %%r12\n jne 9f\n movq %%xmm15, %%rax\n cmp %%rax, %%r13\n jne 9f\n"
		"mov $0x11, %%eax\n incq (%%r15)\n"
		/* the direction flag, by the direction of lods */
		"mov %%r14, %%rsi\n lodsb\n cmp %%rsi, %%r14\n jbe 9f\n mov $0x55, %%esi\n mov $0x11, %%eax\n jmp 1b\n"
		"9: cld\n incq 8(%%r15)\n ud2\n"
		: "+a"(at)
		:
		: "memory", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "xmm7", "xmm15");
}

static void no_vdso_loop(void)
{
	unsigned long from = 0, to = 0, a, b;
	FILE *f = fopen("/proc/self/maps", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &a, &b) == 2) {
			from = a;
			to = b;
		}
	if (munmap((void *)from, to - from))
		shared->bad++;
	registers_loop();
}

static void turn(bool good, long value)
{
	uint64_t mask;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
	if (!good || mask != own_mask) {
		shared->bad_value = good ? (long)mask : value;
		shared->bad++;
	}
	shared->turns++;
}

static void sleeps_loop(void)
{
	struct timespec ts = { 0, 3000000 };

	for (;;) {
		double start = now(), took;
		long ret = syscall(SYS_nanosleep, &ts, NULL);

		took = now() - start;
		/* It may be late on a busy machine: sometimes by 0.2 s, even without a tracer. */
		turn(!ret && took > 0.0029 && took < 5, ret ? ret : (long)(took * 1e6));
	}
}

/*
 * The stop itself makes this call return EINTR. The tracer restarts it first of all; if it is killed before that, which
 * cannot be prevented, the call returns EINTR.
 */
static void epoll_loop(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec each = { { 0, 3000000 }, { 0, 3000000 } };
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t times;

	/* With a timeout it would return EINTR in any case. */
	if (timerfd_settime(timer, 0, &each, NULL) || epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev))
		exit(1);
	for (;;) {
		long ret = epoll_wait(ep, &ev, 1, -1);

		if (ret < 0 && errno == EINTR)
			shared->interrupted++;
		turn(ret == 1 || (ret < 0 && errno == EINTR), ret);
		if (ret == 1 && read(timer, &times, sizeof(times)) != sizeof(times))
			turn(false, errno);
	}
}

static void pipe_loop(void)
{
	char c;

	for (;;) {
		long ret = syscall(SYS_read, fds[0], &c, 1);

		turn(ret == 1, ret);
	}
}

static void on_signal(int sig)
{
	shared->signals++;
}

static void signals_loop(void)
{
	for (;;) {
		for (volatile int i = 0; i < 3000; i++)
			;
		turn(true, 0);
	}
}

/* The next tracer comes while the handler runs, which may have interrupted the code of the last one. */
static void on_slow_signal(int sig)
{
	static volatile int depth;

	if (depth++ < 2)
		for (int i = 0; i < 10; i++) {
			for (volatile int j = 0; j < 30000; j++)
				;
			turn(true, 0);
		}
	depth--;
}

static void handlers_loop(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction sa = { .sa_handler = on_slow_signal, .sa_flags = SA_NODEFER | SA_ONSTACK };

	if (sigaction(SIGALRM, &sa, NULL) || setitimer(ITIMER_REAL, &often, NULL))
		exit(1);
	signals_loop();
}

static void altstack_loop(void)
{
	static char space[1 << 18];
	const stack_t stack = { .ss_sp = space, .ss_size = sizeof(space) };

	if (sigaltstack(&stack, NULL))
		exit(1);
	handlers_loop();
}

static void *slow_thread(void *arg)
{
	while (shared)
		turn(true, 0);
	return NULL;
}

static void thread_handlers_loop(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, slow_thread, NULL);
	handlers_loop();
}

static void *spin_thread(void *arg)
{
	volatile long *count = arg;

	while (shared)
		++*count;
	return NULL;
}

static void *sleep_thread(void *arg)
{
	struct timespec ts = { 0, 2000000 };

	while (shared) {
		long ret = syscall(SYS_nanosleep, &ts, NULL);

		if (ret) {
			shared->bad_value = ret;
			shared->bad++;
		}
		++*(volatile long *)arg;
	}
	return NULL;
}

static void threads_loop(void)
{
	static volatile long counts[4];
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, i & 1 ? spin_thread : sleep_thread, (void *)&counts[i]);
	sleeps_loop();
}

struct kind {
	const char *name;
	void (*loop)(void);
	int (*session)(pid_t pid, int *ret_err);
	bool writes, signals, stops;
};

static const struct kind kinds[] = {
	{ "registers", registers_loop, session, false, false, false },
	{ "no_vdso", no_vdso_loop, session, false, false, false },
	{ "sleeping", sleeps_loop, session, false, false, false },
	{ "epoll", epoll_loop, session, false, false, false },
	{ "pipe", pipe_loop, session, true, false, false },
	{ "signals", signals_loop, session, false, true, false },
	{ "handlers", handlers_loop, session, false, false, false },
	{ "altstack", altstack_loop, session, false, false, false },
	{ "thread_handlers", thread_handlers_loop, session_threads, false, false, false },
	{ "stopped", registers_loop, session, false, false, true },
	{ "threads", threads_loop, session_threads, false, false, false },
};

static void victim_body(void *arg)
{
	const struct kind *k = arg;
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 7);
	sigprocmask(SIG_SETMASK, &set, NULL);
	memcpy(&own_mask, &set, sizeof(own_mask));
	k->loop();
}

static size_t maps_of(pid_t pid, char *buf, size_t size)
{
	return proc_text(pid, "maps", buf, size);
}

struct before {
	char maps[65536];
	unsigned long mask;
};

/* Is it unchanged, and does it make progress? */
static bool is_unchanged(pid_t pid, const struct kind *k, const struct before *b, const char **why)
{
	static char maps[65536];
	long turns = shared->turns;

	for (int i = 0; i < 200000; i++) {
		if (k->writes && i % 8 == 0 && write(fds[1], "x", 1) != 1)
			perror("write");
		if (k->stops && i % 8 == 0)
			kill(pid, SIGCONT);
		usleep(500);
		maps_of(pid, maps, sizeof(maps));
		*why = !maps[0]					     ? "it died" :
		       strcmp(maps, b->maps)			     ? "its maps differ" :
		       status_value(pid, "\nSigBlk:", 16) != b->mask ? "its mask differs" :
		       status_value(pid, "\nTracerPid:", 10)	     ? "it is traced" :
		       shared->bad				     ? "its loop found an error" :
		       shared->turns == turns			     ? "it makes no progress" :
								       NULL;
		if (!*why)
			return true;
		if (!maps[0] || shared->bad)
			break;
	}
	return false;
}

/* Runs a session in a child that may be killed. Returns the child's status. */
static int tracer(pid_t pid, const struct kind *k, int at, long random_us, double length)
{
	pid_t child = fork();
	int status, err = 0;
	double end;

	if (!child) {
		kill_at = at;
		kill_count = 0;
		status = k->session(pid, &err);
		if (status)
			fprintf(stderr, "session failed in line %d: %s\n", status, strerror(-err));
		if (at < 0)
			shared->bad_value = kill_count;
		_exit(status ? 1 : 0);
	}
	if (random_us >= 0) {
		end = now() + length * (double)random_us / 1000;
		while (now() < end)
			if (k->signals)
				kill(pid, SIGUSR1);
		kill(child, SIGKILL);
	}
	waitpid(child, &status, 0);
	return status;
}

static void stop_victim(pid_t pid, const struct kind *k)
{
	if (!k->stops)
		return;
	kill(pid, SIGSTOP);
	wait_state(pid, 'T');
}

static void run_kind(const struct kind *k, int rounds)
{
	static struct before before;
	const char *why = NULL;
	int points, failed = 0, killed = 0, round = 0;
	double start;
	pid_t pid;

	*shared = (struct shared){ 0 };
	if (pipe2(fds, 0))
		exit(1);
	pid = victim(victim_body, (void *)k);
	for (int i = 0; i < 60000 && !shared->turns; i++) {
		if (k->writes && i % 8 == 0 && write(fds[1], "x", 1) != 1)
			perror("write");
		usleep(1000);
	}
	usleep(30000);
	maps_of(pid, before.maps, sizeof(before.maps));
	before.mask = status_value(pid, "\nSigBlk:", 16);
	/* A session that is not killed: the number of points, and its duration. */
	stop_victim(pid, k);
	start = now();
	failed = tracer(pid, k, -1, -1, 0);
	points = (int)shared->bad_value;
	if (failed || !is_unchanged(pid, k, &before, &why))
		report(k->name, false, "a session that is not killed: status %#x, %s", failed, why ? why : "");
	for (start = now() - start; !failed && round < rounds; round++) {
		int status;

		stop_victim(pid, k);
		status = round % 2 ? tracer(pid, k, 0, random() % 1200, start) :
				     tracer(pid, k, 1 + (round / 2) % points, -1, 0);
		killed += WIFSIGNALED(status);
		/* A stopped target cannot clean up by itself: the next session does. */
		if (k->stops && round % 4 >= 2)
			status = tracer(pid, k, 0, -1, 0);
		if (k->stops && !wait_state(pid, 'T'))
			why = "no longer stopped";
		else if (WIFSIGNALED(status) || !status)
			is_unchanged(pid, k, &before, &why);
		else
			why = "the session failed";
		failed = why != NULL;
	}
	if (!failed && shared->interrupted > rounds / 3 + 2) {
		why = "too many calls returned EINTR";
		failed = 1;
	}
	report(k->name, !failed, "round %d (of %d points): %s, value %#lx", round, points, why ? why : "",
	       shared->bad_value);
	printf("# %d rounds, %d points, %d tracers killed, %ld EINTR\n", round, points, killed, shared->interrupted);
	end_victim(pid);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;

	srandom(getpid());
	shared = shared_page();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (argc < 3 || !strcmp(argv[2], kinds[i].name))
			run_kind(&kinds[i], rounds);
	return test_result();
}
