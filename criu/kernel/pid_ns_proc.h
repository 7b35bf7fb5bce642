/* SPDX-License-Identifier: GPL-2.0-only */
/* The procfs of another pid namespace than ours: numbers of what has no process any more can only be read there. */
#pragma once
#include <sys/types.h>
#include "kernel/proc_pid.h"

/* The directory of the process @inner of the pid namespace @ns in a procfs of that, which is mounted nowhere. */
int pid_ns_proc_open(int ns, pid_t inner, struct proc *ret_p);
