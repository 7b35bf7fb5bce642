/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirty MIB RATE FILE: a process with so much memory, of which it writes RATE MB per second, page after page. FILE has the longest time
 * that it was away, in seconds, the number of times it was told to (SIGUSR1) write an eighth of its memory, and a count that goes on.
 * SIGUSR2 forgets that time.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORD 32ul
#define WORDS 4096ul

static volatile sig_atomic_t told, reset;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		told++;
	else
		reset = 1;
}

/* It may continue where the monotonic clock is another one. */
static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/* Two thirds of it are words that occur again, as in the heaps of programs; the rest is as good as random. */
static void fill(char *mem, size_t size)
{
	static uint64_t dictionary[WORDS * WORD / 8];
	uint64_t x = 88172645463325252ull, *at = (uint64_t *)mem;

	for (size_t i = 0; i < WORDS * WORD / 8; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		dictionary[i] = x;
	}
	for (size_t i = 0; i < size / WORD; i++, at += WORD / 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		if (x >> 60 < 11)
			memcpy(at, dictionary + x % 256 * (WORD / 8), WORD);
		else
			for (size_t k = 0; k < WORD / 8; k++) {
				x ^= x << 13, x ^= x >> 7, x ^= x << 17;
				at[k] = x;
			}
	}
}

static void write_pages(char *mem, size_t pages, size_t *at, size_t count)
{
	for (size_t i = 0; i < count; i++, *at = (*at + 1) % pages)
		++*(uint64_t *)(mem + *at * PAGE);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	size_t size, pages, at = 0, next = 0;
	double rate, last, longest = 0, due = 0;
	int fd, done = 0;
	char *mem, text[128];

	if (argc != 4)
		return 2;
	size = (size_t)atol(argv[1]) << 20;
	pages = size / PAGE;
	rate = atof(argv[2]) * 1e6 / PAGE;
	fd = open(argv[3], O_WRONLY | O_CREAT, 0600);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || mem == MAP_FAILED || madvise(mem, size, MADV_NOHUGEPAGE))
		return 1;
	fill(mem, size);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	last = now();
	for (uint64_t n = 0;; n++) {
		double t, away;

		nanosleep(&pause, NULL);
		t = now();
		away = t - last;
		last = t;
		if (reset)
			reset = longest = 0;
		else if (away > longest)
			longest = away;
		/* It does not catch up on what it has missed. */
		due += (away < 0.02 ? away : 0.02) * rate;
		write_pages(mem, pages, &at, (size_t)due);
		due -= (size_t)due;
		while (done < told) {
			write_pages(mem, pages, &next, pages / 8);
			done++;
		}
		snprintf(text, sizeof(text), "%10.6f %6d %12lu\n", longest, done, (unsigned long)n);
		if (pwrite(fd, text, strlen(text), 0) < 0)
			return 1;
	}
}
