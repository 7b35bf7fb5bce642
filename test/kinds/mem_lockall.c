// SPDX-License-Identifier: GPL-2.0-only
/*
 * mlockall(MCL_CURRENT) is preserved: existing mappings are locked, and their content is unchanged.
 * test: flavours=host,lazy breaks=1
 */
#include "checkpoint.h"

int main(int argc, char **argv)
{
	long locked;
	char *mem;

	test_init(argc, argv);
	mem = map_anon(1 << 20, MAP_PRIVATE);
	if (mlockall(MCL_CURRENT))
		test_skip("RLIMIT_MEMLOCK is too low");
	fill(mem, 1 << 20, 1);
	locked = status_field(getpid(), "VmLck", 10);
	if (checkpoint_here())
		munlockall();
	check(status_field(getpid(), "VmLck", 10) == locked, "%ld locked, were %ld",
	      status_field(getpid(), "VmLck", 10), locked);
	check(!wrong(mem, 1 << 20, 1), "content");
	test_done();
}
