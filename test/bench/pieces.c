/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The targets of `make bench`: pieces KIND COUNT creates COUNT of them, prints "ready" on stdout and waits to be
 * killed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#define PAGE 4096ul

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void raise_limit(int which, rlim_t want)
{
	struct rlimit lim = { want, want };

	if (!setrlimit(which, &lim) || getrlimit(which, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(which, &lim);
}

/* COUNT MiB of random bytes, in huge pages or in 4K pages. */
static void memory(long mib, int huge)
{
	size_t len = (size_t)mib << 20;
	char *map = mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *p, x = 88172645463325252ull;

	if (map == MAP_FAILED)
		fail("mmap");
	p = (void *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1));
	if (huge)
		madvise(p, len, MADV_HUGEPAGE);
	else
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (size_t i = 0; i < len / sizeof(*p); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

static void processes(long count)
{
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

/* COUNT MiB in 4K pages that four children share with their parent after fork. */
static void forked(long mib)
{
	memory(mib, 0);
	processes(4);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void threads(long count)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (long i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, sleeper, NULL))
			fail("pthread_create");
	}
}

/* Neighbours have different protection, so that each is a mapping of its own; one page of each was written. */
static void vmas(long count)
{
	char *map = mmap(NULL, count * 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		fail("mmap");
	for (long i = 0; i < count; i++) {
		char *at = map + i * 2 * PAGE;

		*at = 1;
		if (i & 1 && mprotect(at, 2 * PAGE, PROT_READ))
			fail("mprotect");
	}
}

static void fds(long count)
{
	raise_limit(RLIMIT_NOFILE, count + 64);
	for (long i = 0; i < count; i++)
		if (open("/etc/passwd", O_RDONLY) < 0)
			fail("open");
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;
	const char *kind = argc > 1 ? argv[1] : "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!strcmp(kind, "memory"))
		memory(count, 0);
	else if (!strcmp(kind, "huge"))
		memory(count, 1);
	else if (!strcmp(kind, "processes"))
		processes(count);
	else if (!strcmp(kind, "forked"))
		forked(count);
	else if (!strcmp(kind, "threads"))
		threads(count);
	else if (!strcmp(kind, "vmas"))
		vmas(count);
	else if (!strcmp(kind, "fds"))
		fds(count);
	else
		return 2;
	if (write(1, "ready\n", 6) != 6)
		return 1;
	for (;;)
		pause();
}
