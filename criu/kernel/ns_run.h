/* SPDX-License-Identifier: GPL-2.0-only */
/* Call a function in other namespaces than ours. setns(2), clone(2) CLONE_VM, CLONE_FILES */
#pragma once
#include <stddef.h>

/*
 * Call @fn in the namespaces that @ns are descriptors of, entered in this order: those of any type but time namespaces,
 * a user namespace first (it gives the right to enter those that it owns); a pid namespace is that of children.
 *
 * The call is made by a process of its own, since many namespaces are never left again, and some not entered by threads.
 * It shares our memory and our descriptors, and we wait for its end: to @fn it is as if we called it, but for its pid, and
 * its root and working directory (those of a mount namespace are its root). It must not leave threads or locks behind.
 *
 * @ret_result: what @fn returned. A negative errno: it was not called, or (-ECHILD) its process was killed. Not logged.
 */
int ns_run_in(const int *ns, size_t nr_ns, int (*fn)(void *arg), void *arg, int *ret_result);
/* The same, in namespaces that are new besides: of the types in @fresh (CLONE_NEW*), created in those of @ns. unshare(2) */
int ns_run_in_new(const int *ns, size_t nr_ns, unsigned fresh, int (*fn)(void *arg), void *arg, int *ret_result);
