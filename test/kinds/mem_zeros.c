// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that were written to and are full of zeros: private and shared memory, huge pages, a file behind them, children that
 * have zeros where their parent has content and the other way round. A memory file's stay where they are.
 * test: breaks=2
 */
#include "checkpoint.h"

#define PAGE 4096UL
#define N (3UL << 20)

enum { HERE = 1, THERE };

/* Where @of is 0 there are zeros; otherwise stretches of 1 to 40 pages of zeros alternate with content. */
static bool has_content(size_t page, int of)
{
	return of && (page * 7 / (1 + page % 41)) % 3 != (size_t)of % 3;
}

static void write_pages(char *p, int of)
{
	memset(p, 0, N);
	for (size_t i = 0; i < N / PAGE; i++)
		if (has_content(i, of))
			fill(p + i * PAGE, PAGE, of);
}

static size_t first_wrong(const char *p, int of)
{
	static const char zero[PAGE];

	for (size_t i = 0; i < N / PAGE; i++)
		if (has_content(i, of) ? wrong(p + i * PAGE, PAGE, of) > 0 : memcmp(p + i * PAGE, zero, PAGE) != 0)
			return i + 1;
	return 0;
}

static char *map(int flags, int fd)
{
	char *p = mmap(NULL, N, PROT_READ | PROT_WRITE, flags, fd, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

static char *inherited, *all_zero;

static int child(void *arg)
{
	write_pages(inherited, THERE);
	write_pages(all_zero, HERE);
	checkpoint_task("child", 0);
	check(!first_wrong(inherited, THERE), "page %zu of the child", first_wrong(inherited, THERE));
	check(!first_wrong(all_zero, HERE), "page %zu that its parent has as zeros", first_wrong(all_zero, HERE));
	return 0;
}

int main(int argc, char **argv)
{
	int file = memfd_create("file", MFD_CLOEXEC);
	struct stat before, after;
	char *private, *shared, *over, *huge;
	pid_t pid;
	int brk;

	test_init(argc, argv);
	need(file >= 0 && !ftruncate(file, N), "memfd");
	private = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	shared = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	inherited = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	all_zero = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	huge = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(huge, N, MADV_HUGEPAGE);
	fill(map(MAP_SHARED, file), N, 5);
	over = map(MAP_PRIVATE, file);
	write_pages(private, HERE);
	write_pages(shared, HERE);
	write_pages(inherited, HERE);
	write_pages(all_zero, 0);
	write_pages(huge, THERE);
	write_pages(over, THERE);
	need(!ftruncate(file, 2 * N) && pwrite(file, all_zero, N, N) == (ssize_t)N && !fstat(file, &before), "memfd");
	pid = fork_task(child, NULL);
	await_task("child");
	brk = checkpoint_here();
	if (brk == 1)
	private[N / 2] ^= 1;
	if (brk == 2)
		need(!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, N, PAGE), "punch a hole");
	check(!first_wrong(private, HERE), "page %zu of private memory", first_wrong(private, HERE));
	check(!first_wrong(shared, HERE), "page %zu of shared memory", first_wrong(shared, HERE));
	check(!first_wrong(inherited, HERE), "page %zu of the parent", first_wrong(inherited, HERE));
	check(!first_wrong(all_zero, 0), "page %zu of zeros", first_wrong(all_zero, 0));
	check(!first_wrong(huge, THERE), "page %zu of huge pages", first_wrong(huge, THERE));
	check(!first_wrong(over, THERE), "page %zu over a file", first_wrong(over, THERE));
	need(!fstat(file, &after), "fstat");
	check(before.st_blocks == after.st_blocks, "%ld blocks, not %ld", (long)after.st_blocks,
	      (long)before.st_blocks);
	join_task(pid);
	test_done();
}
