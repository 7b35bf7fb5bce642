// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory in the way of the restorer: where it likes to be, right below the stack, at the top, the vDSO moved away.
 * test: flavours=host,lazy breaks=1
 */
#include "checkpoint.h"
#include <sys/auxv.h>
#include <time.h>

#define PAGE 4096UL

int main(int argc, char **argv)
{
	const uintptr_t places[] = { 0x10000,	     0x100000,	     0x400000,	     0x800000,	     0x10000000,
				     0x555555554000, 0x7fff00000000, 0x7fffffffe000, 0x7ffff7fc0000, 0x100000000 };
	char *mem[10] = { NULL };
	int seen = 0;

	test_init(argc, argv);
	for (int i = 0; i < 10; i++) {
		void *got = mmap((void *)places[i], PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		mem[i] = got == MAP_FAILED ? NULL : got;
		if (mem[i])
			fill(mem[i], PAGE, i);
		seen += !!mem[i];
	}
	need(seen >= 6, "only %d places are free", seen);
	if (checkpoint_here())
		mem[4][0]++;
	for (int i = 0; i < 10; i++)
		check(!mem[i] || !wrong(mem[i], PAGE, i), "memory at %#lx", places[i]);
	test_done();
}
