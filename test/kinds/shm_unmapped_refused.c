// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared anonymous memory whose last pages no process has mapped: mremap(2) would show them again. Root of a user namespace
 * cannot read them, and cannot know that they are zeros.
 * test: flavours= user-root=host refused="the shared memory mapped at [0-9a-f]+ is larger than what processes have mapped of it"
 */
#include "checkpoint.h"

int main(int argc, char **argv)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t before;
	char *p;

	test_init(argc, argv);
	p = map_anon(4 * page, MAP_SHARED);
	fill(p, 4 * page, 1);
	need(!munmap(p + 2 * page, 2 * page), "munmap: %m");
	before = (size_t)status_field(getpid(), "VmSize", 10);
	if (checkpoint_here() == 1)
		p[0] ^= 1;
	/* Looking for them leaves nothing behind. */
	check((size_t)status_field(getpid(), "VmSize", 10) == before, "VmSize");
	p = mremap(p, 2 * page, 4 * page, MREMAP_MAYMOVE);
	need(p != MAP_FAILED, "mremap: %m");
	check(!wrong(p, 4 * page, 1), "content");
	test_done();
}
