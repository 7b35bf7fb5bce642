// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private anonymous memory: content, protections, holes that are preserved, zero pages, brk, the stack.
 * test: flavours=host,lazy breaks=3 decode=yes
 */
#include "checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (8UL << 20)
#define PAGE 4096UL

static sigjmp_buf jump;

static void on_segv(int sig)
{
	siglongjmp(jump, 1);
}

static bool faults(volatile char *p, bool write_it)
{
	if (sigsetjmp(jump, 1))
		return true;
	if (write_it)
		*p = *p;
	else
		(void)*p;
	return false;
}

/* Pages of [mem, mem+size) that are present or swapped. */
static size_t populated(void *mem, size_t size)
{
	size_t count = 0, n = size / PAGE;
	static uint64_t map[(1UL << 30) / PAGE]; /* not malloc: brk must not move */
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	need(pread(fd, map, n * 8, (uintptr_t)mem / PAGE * 8) == (ssize_t)(n * 8), "pagemap");
	for (size_t i = 0; i < n; i++)
		count += map[i] >> 62 != 0;
	close(fd);
	return count;
}

static volatile int deep_value;

static void __attribute__((noinline)) on_stack(int depth)
{
	volatile char frame[8192];

	memset((char *)frame, depth, sizeof(frame));
	if (depth)
		on_stack(depth - 1);
	else
		deep_value = checkpoint_here();
	for (size_t i = 0; i < sizeof(frame); i++)
		if (frame[i] != (char)depth) {
			check(false, "stack frame %d byte %zu", depth, i);
			break;
		}
}

int main(int argc, char **argv)
{
	char *data, *sparse, *none, *ro, *exec, *zeros, *heap, *low, *reserved, code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	size_t pages;
	void *brk_was;

	test_init(argc, argv);
	data = map_anon(SIZE, MAP_PRIVATE);
	fill(data, SIZE, 1);
	sparse = map_anon(1UL << 30, MAP_PRIVATE | MAP_NORESERVE);
	madvise(sparse, 1UL << 30, MADV_NOHUGEPAGE);
	for (int i = 0; i < 64; i++)
		sparse[i * (16UL << 20) + 5] = (char)(i + 1);
	none = map_anon(16 * PAGE, MAP_PRIVATE);
	fill(none, 16 * PAGE, 2);
	mprotect(none, 16 * PAGE, PROT_NONE);
	ro = map_anon(16 * PAGE, MAP_PRIVATE);
	fill(ro, 16 * PAGE, 3);
	mprotect(ro, 16 * PAGE, PROT_READ);
	exec = map_anon(PAGE, MAP_PRIVATE);
	memcpy(exec, code, sizeof(code));
	mprotect(exec, PAGE, PROT_READ | PROT_EXEC);
	zeros = map_anon(SIZE, MAP_PRIVATE);
	memset(zeros, 0, SIZE);
	reserved = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	low = mmap((void *)0x200000, 4 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	need(low == (void *)0x200000 && reserved != MAP_FAILED, "low map");
	strcpy(low, "low");
	heap = sbrk(3 * (long)PAGE + 123);
	fill(heap, 3 * PAGE, 4);
	pages = populated(sparse, 1UL << 30);
	brk_was = sbrk(0);
	need(pages == 64, "sparse has %zu pages", pages);

	on_stack(100);
	if (deep_value == 1)
		data[SIZE / 2]++;
	if (deep_value == 2)
		sparse[5]++;
	if (deep_value == 3)
		mprotect(ro, 16 * PAGE, PROT_READ | PROT_WRITE);

	signal(SIGSEGV, on_segv);
	check(!wrong(data, SIZE, 1), "data wrong at %zu", wrong(data, SIZE, 1) - 1);
	check(populated(sparse, 1UL << 30) == 64, "holes were filled: %zu pages of 64", populated(sparse, 1UL << 30));
	for (int i = 0; i < 64; i++)
		check(sparse[i * (16UL << 20) + 5] == (char)(i + 1) && !sparse[i * (16UL << 20) + PAGE - 1],
		      "sparse %d", i);
	check(faults(none, false) && faults(none + 15 * PAGE, false), "PROT_NONE is readable");
	check(!mprotect(none, 16 * PAGE, PROT_READ) && !wrong(none, 16 * PAGE, 2), "content of PROT_NONE memory");
	check(!wrong(ro, 16 * PAGE, 3) && faults(ro, true), "read-only memory");
	check(((int (*)(void))(void *)exec)() == 42 && faults(exec, true), "executable memory");
	for (size_t i = 0; i < SIZE; i += 512)
		if (zeros[i]) {
			check(false, "zeros[%zu] is %d", i, zeros[i]);
			break;
		}
	check(faults(reserved, false) && !mprotect(reserved, PAGE, PROT_READ) && !reserved[7], "reserved");
	check(!strcmp(low, "low"), "low memory");
	check(!wrong(heap, 3 * PAGE, 4) && sbrk(0) == brk_was, "heap: brk %p was %p", sbrk(0), brk_was);
	check(sbrk(100 * (long)PAGE) == brk_was && !((char *)brk_was)[99 * PAGE], "the heap cannot grow");
	check(malloc(100000) != NULL, "malloc");
	test_done();
}
