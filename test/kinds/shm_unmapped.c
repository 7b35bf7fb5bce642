// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared anonymous memory of which processes have only a part mapped: the rest is still there, and mremap(2) shows it. The
 * tail of the first segment has content, that of the second one has never been written to.
 * test: breaks=3
 */
#include "checkpoint.h"

enum { PAGES = 8, FROM = 2, TO = 4 }; /* what remains mapped */

static char *segment(size_t page, bool filled)
{
	char *p = map_anon(PAGES * page, MAP_SHARED);

	for (size_t i = 0; i < PAGES; i++)
		if (filled || i < TO)
			fill(p + i * page, page, i);
	need(!munmap(p + TO * page, (PAGES - TO) * page) && !munmap(p, FROM * page), "munmap: %m");
	return p + FROM * page;
}

static bool is_there(const char *p, size_t page, bool filled)
{
	static const char zeros[65536];

	for (size_t i = FROM; i < PAGES; i++, p += page)
		if (filled || i < TO ? wrong(p, page, i) != 0 : memcmp(p, zeros, page) != 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *full, *hole, *p;
	int fault, to[2];

	test_init(argc, argv);
	full = segment(page, true);
	hole = segment(page, false);
	fault = checkpoint_here();
	p = mremap(full, (TO - FROM) * page, (PAGES - FROM) * page, MREMAP_MAYMOVE);
	need(p != MAP_FAILED, "mremap: %m");
	if (fault == 1)
		p[(PAGES - FROM) * page - 1] ^= 1;
	check(is_there(p, page, true), "content");
	p = mremap(hole, (TO - FROM) * page, (PAGES - FROM) * page, MREMAP_MAYMOVE);
	need(p != MAP_FAILED, "mremap: %m");
	if (fault == 2)
		p[(PAGES - FROM) * page - 1] = 1;
	check(is_there(p, page, false), "zeros");
	/* It ends where it did: reading beyond it fails. */
	p = mremap(p, (PAGES - FROM) * page, (PAGES - FROM + 1) * page, MREMAP_MAYMOVE);
	need(p != MAP_FAILED, "mremap: %m");
	if (fault != 3)
		p += (PAGES - FROM) * page;
	need(!pipe(to), "pipe: %m");
	check(write(to[1], p, 1) < 0 && errno == EFAULT, "it has grown");
	test_done();
}
