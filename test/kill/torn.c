/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * torn MODE COUNTFILE: keeps writing an increasing number into all of its pages, one after another, and checks before
 * each write that the page contains the previous number. A copy of its memory that was not taken at a single instant is
 * detected, and reported in COUNTFILE.torn. MODE is what else it does all the time: write, churn (munmap, mremap,
 * madvise), fork, exec.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define SIZE (96ul << 20)
#define CHURN (4ul << 20)

static const char *mode, *count_file;

static void torn(const char *what, unsigned long page, uint64_t have, uint64_t want)
{
	char name[4096], text[256];
	int fd, len = snprintf(text, sizeof(text), "%s: page %lu has %lu, not %lu\n", what, page, have, want);

	snprintf(name, sizeof(name), "%s.torn", count_file);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0 && write(fd, text, len) == len)
		close(fd);
	_exit(3);
}

static uint64_t *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(4);
	return p;
}

static uint64_t *at(uint64_t *mem, unsigned long page)
{
	return mem + page * (PAGE / sizeof(*mem));
}

static void pass(const char *what, uint64_t *mem, size_t len, uint64_t before, uint64_t after)
{
	for (unsigned long i = 0; i < len / PAGE; i++) {
		if (*at(mem, i) != before)
			torn(what, i, *at(mem, i), before);
		*at(mem, i) = after;
	}
}

/* A mapping that is created, moved, discarded and unmapped. */
static void churn(uint64_t n)
{
	uint64_t *mem = map(CHURN), *moved;

	pass("fresh", mem, CHURN, 0, n);
	moved = mremap(mem, CHURN, CHURN, MREMAP_MAYMOVE | MREMAP_FIXED, map(CHURN));
	if (moved == MAP_FAILED)
		_exit(4);
	pass("moved", moved, CHURN, n, n + 1);
	madvise(moved, CHURN / 2, MADV_DONTNEED);
	pass("emptied", moved, CHURN / 2, 0, n);
	pass("kept", at(moved, CHURN / 2 / PAGE), CHURN / 2, n + 1, n);
	munmap(moved, CHURN);
}

static void fork_once(uint64_t *mem, uint64_t n)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		pass("child", mem, SIZE / 8, n, n + 7);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		torn("child's exit status", 0, pid < 0 ? 0 : (uint64_t)status, 0);
	/* We have no other child. */
	if (waitpid(-1, &status, WNOHANG | __WALL) != -1)
		torn("another child", 0, 0, 0);
}

static void report(uint64_t n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%020lu\n", n), fd = open(count_file, O_WRONLY | O_CREAT, 0600);

	if (fd >= 0 && pwrite(fd, text, len, 0) == len)
		close(fd);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 3 ? strtoul(argv[3], NULL, 10) : 0, first = n, *mem;
	char number[32];

	if (argc < 3)
		return 2;
	mode = argv[1];
	count_file = argv[2];
	mem = map(SIZE);
	if (!strcmp(mode, "huge"))
		madvise(mem, SIZE, MADV_HUGEPAGE);
	pass("first", mem, SIZE, 0, n);
	for (;; n++) {
		pass("pages", mem, SIZE, n, n + 1);
		if (!strcmp(mode, "churn"))
			churn(n + 1);
		if (!strcmp(mode, "fork"))
			fork_once(mem, n + 1);
		report(n + 1);
		snprintf(number, sizeof(number), "%lu", n + 1);
		if (!strcmp(mode, "exec") && n - first > 3)
			execl("/proc/self/exe", argv[0], mode, count_file, number, (char *)NULL);
	}
}
