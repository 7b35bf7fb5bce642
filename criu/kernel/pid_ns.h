/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of processes and threads in other pid namespaces than ours. pid_namespaces(7), ioctl_nsfs(2) */
#pragma once
#include <sys/types.h>

/*
 * The number that the thread (or process) with the number @inner in the pid namespace @ns has in ours. -ESRCH: there is
 * none, or it is not below ours. Asks the kernel (NS_GET_PID_FROM_PIDNS, Linux 6.12), or looks through /proc without it.
 */
int pid_ns_outer(int ns, pid_t inner, pid_t *ret_outer);
