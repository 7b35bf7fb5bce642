// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guard regions (MADV_GUARD_INSTALL) inside mappings that contain data: they still fault, and can be removed.
 * test: breaks=1
 */
#include "mem_probe.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#define PAGE 4096UL

int main(int argc, char **argv)
{
	char *mem, *alone;

	test_init(argc, argv);
	mem = map_anon(64 * PAGE, MAP_PRIVATE);
	alone = map_anon(16 * PAGE, MAP_PRIVATE);
	fill(mem, 64 * PAGE, 1);
	if (madvise(mem + 10 * PAGE, 3 * PAGE, MADV_GUARD_INSTALL))
		test_skip("this kernel has no guard regions");
	need(!madvise(mem, PAGE, MADV_GUARD_INSTALL) && !madvise(alone, 16 * PAGE, MADV_GUARD_INSTALL), "guards");
	if (checkpoint_here())
		madvise(mem, PAGE, MADV_GUARD_REMOVE);
	signal(SIGSEGV, on_fault);
	for (size_t i = 0; i < 64; i++)
		check(fault_of(mem + i * PAGE) == (i == 0 || (i >= 10 && i < 13) ? SIGSEGV : 0), "page %zu: signal %d",
		      i, fault_of(mem + i * PAGE));
	check(fault_of(alone) == SIGSEGV && fault_of(alone + 15 * PAGE) == SIGSEGV,
	      "a mapping that consists of guard pages");
	check(!madvise(mem + 10 * PAGE, 3 * PAGE, MADV_GUARD_REMOVE) && !mem[11 * PAGE], "guards cannot be removed");
	test_done();
}
