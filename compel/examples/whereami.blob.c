// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs inside another process: no libc, no globals, direct system calls only.
 * Returns the pid and the working directory of the process.
 */
#include <compel/pie.h>
#include "whereami.h"

unsigned long blob_entry(unsigned int command, void *args);

unsigned long blob_entry(unsigned int command, void *args)
{
	struct whereami *out = args;

	if (command != WHEREAMI_QUERY)
		return -22; /* EINVAL */
	out->pid = sys_getpid();
	return sys_call2(__NR_getcwd, (long)out->cwd, sizeof(out->cwd));
}
