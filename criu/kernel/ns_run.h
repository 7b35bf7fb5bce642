/* SPDX-License-Identifier: GPL-2.0-only */
/* Call a function in other namespaces than ours. setns(2), clone(2) CLONE_VM, CLONE_FILES */
#pragma once
#include <stddef.h>

/*
 * Calls @fn in the namespaces with the descriptors @ns, entered in this order: of any type except time namespaces, a
 * user namespace first (it gives the right to enter those that it owns); a pid namespace applies to children. The call
 * is made by a separate process, since many namespaces can never be left again, and some cannot be entered by threads.
 * It shares our memory and our descriptors, and we wait until it exits: for @fn it is as if we called it, except for
 * its pid, and its root and working directory (in a mount namespace, the root of that). It must not leave threads or
 * locks behind. @ret_result: what @fn returned. A negative errno: it was not called, or (-ECHILD) its process was
 * killed. Not logged.
 */
int ns_run_in(const int *ns, size_t nr_ns, int (*fn)(void *arg), void *arg, int *ret_result);

/* Namespaces to enter (as above), and the types (CLONE_NEW*) of new ones that are created in them. unshare(2) */
struct ns_targets {
	const int *ns;
	size_t nr_ns;
	unsigned fresh;
};
/* The same, in additional new namespaces. */
int ns_run_in_new(const struct ns_targets *targets, int (*fn)(void *arg), void *arg, int *ret_result);
