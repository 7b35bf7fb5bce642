/* SPDX-License-Identifier: GPL-2.0-only */
/* Creating user namespaces. user_namespaces(7) */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/*
 * Creates a user namespace that belongs to user @owner, and calls @fill while a process, @pid, is in it: its maps can only be
 * written from outside. @accessible: by those who have capabilities in this user namespace only, to its files in /proc. *ret_result: what @fill returned. A negative errno: it was not called. Not logged.
 */
int ns_user_make(uid_t owner, bool accessible, int (*fill)(pid_t pid, void *arg), void *arg, int *ret_result);
/* Does @user, or a user namespace below it, own namespace @ns? Descriptors. ioctl_nsfs(2) */
bool ns_user_owns(int user, int ns);
