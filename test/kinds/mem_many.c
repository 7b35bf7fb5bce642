// SPDX-License-Identifier: GPL-2.0-only
/*
 * 10,000 mappings with different protection, each with its content.
 * test: breaks=1
 */
#include "checkpoint.h"

#define COUNT 10000
#define PAGE 4096UL

int main(int argc, char **argv)
{
	int bad = 0, lines = 0;
	char *mem, line[512];
	FILE *f;

	test_init(argc, argv);
	mem = map_anon(COUNT * 2 * PAGE, MAP_PRIVATE);
	madvise(mem, COUNT * 2 * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < COUNT; i++) {
		if (i % 2)
			*(size_t *)(mem + i * 2 * PAGE) = i;
		need(!mprotect(mem + i * 2 * PAGE, 2 * PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE),
		     "mprotect %zu", i);
	}
	if (checkpoint_here())
		mprotect(mem, COUNT * 2 * PAGE, PROT_READ | PROT_WRITE);
	f = fopen("/proc/self/maps", "re");
	while (fgets(line, sizeof(line), f))
		lines++;
	fclose(f);
	check(lines >= COUNT, "%d areas", lines);
	for (size_t i = 0; i < COUNT; i++)
		bad += *(size_t *)(mem + i * 2 * PAGE) != (i % 2 ? i : 0);
	check(!bad, "%d mappings have wrong content", bad);
	test_done();
}
