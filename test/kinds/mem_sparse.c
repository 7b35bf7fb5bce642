// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64 GiB of address space with a few pages in it: they are restored, the rest costs nothing.
 * test: breaks=1 user-root=host
 */
#include "checkpoint.h"

#define GB (1UL << 30)

int main(int argc, char **argv)
{
	char *mem, *shared;
	long before, after;

	test_init(argc, argv);
	mem = mmap(NULL, 64 * GB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	shared = mmap(NULL, 4 * GB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	need(mem != MAP_FAILED && shared != MAP_FAILED, "mmap");
	madvise(mem, 64 * GB, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 256; i++)
		*(size_t *)(mem + i * (GB / 4) + 4096 * i) = i + 1;
	shared[3 * GB] = 's';
	before = status_field(getpid(), "VmRSS", 10);
	if (checkpoint_here())
		mem[GB] = mem[GB + 4096 * 4] = 7;
	after = status_field(getpid(), "VmRSS", 10);
	check(after < before + 3000, "%ld kB resident, were %ld", after, before);
	for (size_t i = 0; i < 256; i++)
		check(*(size_t *)(mem + i * (GB / 4) + 4096 * i) == i + 1, "page %zu", i);
	check(shared[3 * GB] == 's' && !shared[GB], "shared");
	test_done();
}
