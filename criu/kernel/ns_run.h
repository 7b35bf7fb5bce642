/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Call @fn in the namespace @ns, which this thread enters and leaves again: for network, IPC, UTS and cgroup namespaces.
 * (setns(2): a user namespace is never left, a pid namespace is for children, a mount namespace not for what shares its
 * directories.) @ret_result: what @fn returned. A negative errno: it was not called, or (-ENOTRECOVERABLE) the thread could
 * not come back. Not logged.
 */
int ns_run_in(int ns, int (*fn)(void *arg), void *arg, int *ret_result);
