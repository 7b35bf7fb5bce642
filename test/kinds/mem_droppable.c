// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP_DROPPABLE memory is restored with its flag and address; its content may be gone, and is never saved.
 * test: breaks=1
 */
#include "checkpoint.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define SIZE (64UL << 10)

/* Is @addr in a mapping with this flag? */
static int has_flag(const char *addr, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[1024];
	int in = 0, has = 0;

	need(f, "smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = (unsigned long)addr >= start && (unsigned long)addr < end;
		if (in && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	fclose(f);
	return has;
}

int main(int argc, char **argv)
{
	static const char zeroes[4096];
	char *mem;

	test_init(argc, argv);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		test_skip("no MAP_DROPPABLE");
	memset(mem, 0x5a, SIZE);
	if (checkpoint_here())
		munmap(mem, SIZE), mem = map_anon(SIZE, MAP_PRIVATE);
	check(has_flag(mem, " dp"), "the flag");
	for (size_t i = 0; i < SIZE; i += 4096)
		check(mem[i] == 0x5a || !memcmp(mem + i, zeroes, 4096), "page %zu", i / 4096);
	memset(mem, 1, SIZE);
	check(mem[SIZE - 1] == 1, "usable");
	test_done();
}
