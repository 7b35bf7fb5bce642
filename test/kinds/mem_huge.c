// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transparent huge pages: content, fully and half populated, madvise flags preserved.
 * test: breaks=1
 */
#include "checkpoint.h"

#define HUGE_SIZE (2UL << 20)

int main(int argc, char **argv)
{
	char *mem = NULL, *part, *never;

	test_init(argc, argv);
	mem = mmap(NULL, 17 * HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(mem != MAP_FAILED, "mmap");
	mem = (char *)(((uintptr_t)mem + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	part = mem + 8 * HUGE_SIZE;
	never = mem + 12 * HUGE_SIZE;
	madvise(mem, 8 * HUGE_SIZE, MADV_HUGEPAGE);
	madvise(never, 4 * HUGE_SIZE, MADV_NOHUGEPAGE);
	fill(mem, 8 * HUGE_SIZE, 1);
	fill(part + HUGE_SIZE / 2, HUGE_SIZE, 2);
	fill(never, 3 * HUGE_SIZE, 3);
	madvise(mem + HUGE_SIZE + 8192, 4096, MADV_DONTNEED); /* a hole in a huge page */
	if (checkpoint_here())
		mem[5 * HUGE_SIZE + 12345]++;
	check(!mem[HUGE_SIZE + 8192] && !mem[HUGE_SIZE + 12287], "the hole");
	static char want[8 * HUGE_SIZE];
	fill(want, sizeof(want), 1);
	memset(want + HUGE_SIZE + 8192, 0, 4096);
	check(!memcmp(mem, want, sizeof(want)), "content");
	check(!wrong(part + HUGE_SIZE / 2, HUGE_SIZE, 2) && !part[0] && !part[2 * HUGE_SIZE - 1], "half of it");
	check(!wrong(never, 3 * HUGE_SIZE, 3), "no huge pages");
	test_done();
}
