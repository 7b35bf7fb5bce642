// SPDX-License-Identifier: GPL-2.0-only
/*
 * A large reserved address range, more than any memory, of which a piece is in use, as with databases. test: breaks=1
 */
#include "checkpoint.h"

#define RESERVED (8ul << 40)
#define PIECE (1ul << 20)
#define AT (3ul << 40)

int main(int argc, char **argv)
{
	char *p;

	test_init(argc, argv);
	p = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		test_skip("8 TB of address space are not available");
	need(!mprotect(p + AT, PIECE, PROT_READ | PROT_WRITE), "use a piece");
	memset(p + AT, 'x', PIECE);

	if (checkpoint_here())
		p[AT + PIECE / 2] = 'y';

	for (size_t i = 0; i < PIECE; i++)
		if (p[AT + i] != 'x') {
			check(false, "byte %zu is %c", i, p[AT + i]);
			break;
		}
	check(!mprotect(p + AT - PIECE, PIECE, PROT_READ | PROT_WRITE) && !p[AT - PIECE], "use another piece");
	check(!mprotect(p + AT, PIECE, PROT_NONE) && !munmap(p, RESERVED), "unmap it");
	test_done();
}
