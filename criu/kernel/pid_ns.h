/* SPDX-License-Identifier: GPL-2.0-only */
/* Pids and tids in other pid namespaces than ours. pid_namespaces(7), ioctl_nsfs(2) */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/*
 * The pid (or tid) in our namespace of the process (or thread) @inner of the pid namespace @ns. -ESRCH: there is none,
 * or it is not below ours. Queries the kernel (NS_GET_PID_FROM_PIDNS, Linux 6.12), or searches /proc without it.
 */
int pid_ns_outer(int ns, pid_t inner, pid_t *ret_outer);
/* The other way round, for a process or thread of that namespace, or of one below it. */
int pid_ns_inner(int ns, pid_t outer, pid_t *ret_inner);
/* The inode of the pid namespace around it. -EPERM: it is not below ours. */
int pid_ns_parent(int ns, ino_t *ret_ino);
/*
 * That of the children of the calling process, which need not have a process yet: a descriptor. Not found in /proc then, but by
 * PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE (Linux 6.11); -EOPNOTSUPP: this kernel has none.
 */
int pid_ns_open_for_children(void);
bool pid_ns_can_open_empty(void);
/* Is the process with the pid @outer in our namespace in the pid namespace @ns, or in one below it? */
bool pid_ns_contains(int ns, pid_t outer);
