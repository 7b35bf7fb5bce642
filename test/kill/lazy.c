// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program whose memory is restored lazily: lazy MODE DIR MEGABYTES SEED. It fills memory, writes DIR/ready, and waits for
 * DIR/go. Then, by mode:
 *   change  unmaps, moves, grows, drops, writes, forks, executes, at random, with two threads that read meanwhile, and
 *           compares each page with its own record: DIR/result is "ok", or what is wrong
 *   touch   reads each page once: DIR/result has how many were right, zero, wrong, or gave SIGBUS
 *   first   writes DIR/first, with the time (CLOCK_MONOTONIC), and ends on SIGTERM
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define AREAS 64
#define OPERATIONS 1500

struct area {
	char *at;
	size_t pages;
	uint32_t *id; /* what each page contains; 0: zeros */
};

static struct area areas[AREAS], steady;
static size_t nr_areas;
static uint32_t next_id = 1;
static const char *dir;
static unsigned int seed;
static int pipe_fds[2];
static _Atomic bool ending;

static void report(const char *fmt, ...)
{
	char path[300], text[200];
	va_list args;
	int fd, n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/result", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		_exit(9);
	close(fd);
}

static void wrong(const char *what, const struct area *a, size_t page, uint64_t is)
{
	report("wrong: %s: page %zu of %p is %#lx, not %u; ", what, page, (void *)a->at, is, a->id[page]);
	_exit(8);
}

static size_t any(size_t below)
{
	return (size_t)rand_r(&seed) % below;
}

static uint64_t *first_of(const struct area *a, size_t page)
{
	return (uint64_t *)(a->at + page * PAGE);
}

static void put(struct area *a, size_t page)
{
	a->id[page] = next_id++;
	first_of(a, page)[0] = first_of(a, page)[511] = a->id[page];
}

static void look(const struct area *a, size_t page, const char *what)
{
	uint64_t one = first_of(a, page)[0], two = first_of(a, page)[511];

	if (one != a->id[page] || two != a->id[page])
		wrong(what, a, page, one != a->id[page] ? one : two);
}

static void look_at_all(const char *what)
{
	for (size_t i = 0; i < nr_areas; i++)
		for (size_t p = 0; p < areas[i].pages; p++)
			look(&areas[i], p, what);
}

static void make(struct area *a, size_t pages, bool fill)
{
	a->pages = pages;
	a->at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a->id = calloc(pages, sizeof(*a->id));
	if (a->at == MAP_FAILED || !a->id)
		exit(7);
	for (size_t p = 0; fill && p < pages; p++)
		if (p % 7 != 3)
			put(a, p);
}

/* The last @pages of area @i become an area of their own, the last one. */
static bool cut(size_t i, size_t from)
{
	struct area *a = &areas[i], *b = &areas[nr_areas];

	if (nr_areas == AREAS || !from || from >= a->pages)
		return false;
	*b = (struct area){ a->at + from * PAGE, a->pages - from, calloc(a->pages - from, sizeof(*b->id)) };
	memcpy(b->id, a->id + from, b->pages * sizeof(*b->id));
	a->pages = from;
	nr_areas++;
	return true;
}

static void drop_last(void)
{
	free(areas[--nr_areas].id);
}

static void unmap(size_t i)
{
	if (nr_areas < 4 || !cut(i, any(areas[i].pages)))
		return;
	munmap(areas[nr_areas - 1].at, areas[nr_areas - 1].pages * PAGE);
	drop_last();
}

static void move(size_t i)
{
	struct area *a = &areas[i];
	char *to;

	if (cut(i, any(a->pages)))
		a = &areas[nr_areas - 1];
	to = mmap(NULL, a->pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mremap(a->at, a->pages * PAGE, a->pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		report("mremap failed; ");
	a->at = to;
}

static void grow(size_t i)
{
	struct area *a = &areas[i];
	size_t pages = a->pages + 1 + any(40);
	char *to = mremap(a->at, a->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);

	if (to == MAP_FAILED)
		return report("mremap failed; ");
	a->id = realloc(a->id, pages * sizeof(*a->id));
	memset(a->id + a->pages, 0, (pages - a->pages) * sizeof(*a->id));
	a->at = to;
	a->pages = pages;
}

static void discard(struct area *a)
{
	size_t from = any(a->pages), n = 1 + any(a->pages - from);

	madvise(a->at + from * PAGE, n * PAGE, MADV_DONTNEED);
	memset(a->id + from, 0, n * sizeof(*a->id));
}

static void protect(struct area *a)
{
	size_t from = any(a->pages), n = 1 + any(a->pages - from);

	mprotect(a->at + from * PAGE, n * PAGE, PROT_READ);
	look(a, from, "read only");
	mprotect(a->at + from * PAGE, n * PAGE, PROT_READ | PROT_WRITE);
}

/* The kernel accesses both. */
static void pass(struct area *from, struct area *to)
{
	size_t p = any(from->pages), q = any(to->pages);

	if (write(pipe_fds[1], first_of(from, p), PAGE) != (ssize_t)PAGE ||
	    read(pipe_fds[0], first_of(to, q), PAGE) != (ssize_t)PAGE)
		report("a page did not go through a pipe; ");
	to->id[q] = from->id[p];
}

/* A child that shared its parent's would take pages that the parent passes at the same time. */
static void renew_pipe(void)
{
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	if (pipe2(pipe_fds, O_CLOEXEC))
		_exit(6);
}

static void change(int left);

static void fork_one(int left)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		renew_pipe();
		change(left / 4);
		look_at_all("in a child");
		if (any(2))
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	if (any(2))
		change(left / 8);
	if (waitpid(pid, &status, 0) != pid || status)
		report("a child ended with %#x; ", status);
}

static void change(int left)
{
	while (left-- > 0) {
		size_t i = any(nr_areas);

		switch (any(40)) {
		case 0:
			unmap(i);
			break;
		case 1:
		case 2:
			move(i);
			break;
		case 3:
			grow(i);
			break;
		case 4:
			discard(&areas[i]);
			break;
		case 5:
			protect(&areas[i]);
			break;
		case 6:
			if (left > 40)
				fork_one(left / 2);
			left -= left / 8;
			break;
		case 7:
			if (nr_areas < AREAS)
				make(&areas[nr_areas++], 1 + any(30), false);
			break;
		case 8:
		case 9:
			pass(&areas[i], &areas[any(nr_areas)]);
			break;
		default:
			if (any(3))
				look(&areas[i], any(areas[i].pages), "at random");
			else
				put(&areas[i], any(areas[i].pages));
		}
	}
}

static void *read_steady(void *arg)
{
	unsigned int own = seed + (unsigned int)(uintptr_t)arg;

	while (!ending) {
		size_t page = (size_t)rand_r(&own) % steady.pages;

		look(&steady, page, "in a thread");
	}
	return NULL;
}

/* In a page of its own: it is there, or it is not. */
static struct {
	sigjmp_buf jump;
	size_t right, zero, bad, bus, p, pages, signals;
	const char *at;
} seen __attribute__((aligned(PAGE)));

static void on_bus(int sig)
{
	/* A page that the jump itself needs: it dies of that. */
	if (++seen.signals > seen.pages)
		signal(sig, SIG_DFL);
	else
		siglongjmp(seen.jump, 1);
}

static void touch(void)
{
	signal(SIGBUS, on_bus);
	seen.pages = steady.pages;
	seen.at = steady.at;
	for (seen.p = 0; seen.p < seen.pages; seen.p++) {
		uint64_t is;

		if (sigsetjmp(seen.jump, 1)) {
			seen.bus++;
			continue;
		}
		is = *(const uint64_t *)(seen.at + seen.p * PAGE);
		seen.right += is == seen.p + 1;
		seen.zero += !is;
		seen.bad += is && is != seen.p + 1;
	}
	report("right %zu bus %zu zero %zu wrong %zu", seen.right, seen.bus, seen.zero, seen.bad);
}

static void wait_for_go(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/ready", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	close(fd);
	snprintf(path, sizeof(path), "%s/go", dir);
	while (access(path, F_OK))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void first(void)
{
	struct timespec now;
	char path[300], text[64];
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	n = snprintf(text, sizeof(text), "%ld.%09ld", (long)now.tv_sec, now.tv_nsec);
	snprintf(path, sizeof(path), "%s/first", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (write(fd, text, (size_t)n) == n)
		pause();
}

int main(int argc, char **argv)
{
	size_t pages = strtoul(argv[3], NULL, 10) << 8;
	pthread_t threads[2];

	dir = argv[2];
	seed = (unsigned int)atoi(argv[4]);
	make(&steady, pages / 2, true);
	if (*argv[1] == 't')
		for (size_t p = 0; p < steady.pages; p++)
			*first_of(&steady, p) = p + 1;
	for (nr_areas = 0; *argv[1] == 'c' && nr_areas < 8; nr_areas++)
		make(&areas[nr_areas], pages / 16 + any(5), true);
	if (pipe2(pipe_fds, O_CLOEXEC))
		return 1;
	wait_for_go();
	if (*argv[1] == 't')
		return touch(), 0;
	if (*argv[1] == 'f')
		return first(), 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, read_steady, (void *)(uintptr_t)i);
	change(OPERATIONS);
	look_at_all("at the end");
	for (size_t p = 0; p < steady.pages; p++)
		look(&steady, p, "at the end");
	ending = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	report("ok");
	return 0;
}
