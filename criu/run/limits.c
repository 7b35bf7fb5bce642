/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/limits.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void limits_raise(uint64_t ret_was[PARASITE_NR_RLIMITS][2])
{
	for (int nr = 0; nr < PARASITE_NR_RLIMITS; nr++) {
		ret_was[nr][0] = ret_was[nr][1] = UINT64_MAX;
		/* If our own code crashes, it must not dump core where the program would not have. */
		if (syscall(SYS_prlimit64, 0, nr, NULL, ret_was[nr]) || ret_was[nr][0] == ret_was[nr][1] ||
		    nr == RLIMIT_CORE)
			continue;
		/* If this fails, the limit will be hit where it matters, and reported there. */
		syscall(SYS_prlimit64, 0, nr, (uint64_t[]){ ret_was[nr][1], ret_was[nr][1] }, NULL);
	}
}

void limits_restore(const uint64_t was[PARASITE_NR_RLIMITS][2])
{
	for (int nr = 0; nr < PARASITE_NR_RLIMITS; nr++)
		if (was[nr][0] != was[nr][1])
			syscall(SYS_prlimit64, 0, nr, was[nr], NULL);
}
