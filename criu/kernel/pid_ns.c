/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/pid_ns.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "util/fds.h"

#define NS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)
#define NS_GET_PID_IN_PIDNS _IOR(0xb7, 0x8, int)
#define NS_GET_PARENT _IO(0xb7, 0x2)
#ifndef PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xff, 6)
#endif

/* Is its innermost pid, the one in its own namespace, @inner? */
static bool has_number(const struct proc *p, ino_t ns_ino, pid_t inner)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	uint32_t ino;

	return !proc_ns_ino(p, PROC_NS_PID, &ino) && ino == ns_ino && !proc_status_read(p, &status) && status.levels &&
	       status.nspid[status.levels - 1] == inner;
}

static int look_at_threads(pid_t pid, ino_t ns_ino, pid_t inner, pid_t *ret_outer)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct pid_array tids = { 0 };
	int err = proc_open(pid, &proc);

	if (!err)
		err = proc_threads(&proc, &tids);
	if (!err)
		err = -ESRCH;
	for (size_t i = 0; err == -ESRCH && i < tids.n; i++) {
		_cleanup_proc_ struct proc thread = PROC_CLOSED;

		if (!proc_open_thread(&proc, tids.v[i], &thread) && has_number(&thread, ns_ino, inner)) {
			*ret_outer = tids.v[i];
			err = 0;
		}
	}
	array_free(&tids);
	return err;
}

static int look_through_proc(int ns, pid_t inner, pid_t *ret_outer)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	struct stat st;
	int err = fstat(ns, &st) < 0 ? -errno : proc_open_self(&self);

	if (!err)
		err = proc_pids(&self, &pids);
	if (!err)
		err = -ESRCH;
	for (size_t i = 0; err == -ESRCH && i < pids.n; i++)
		if (!look_at_threads(pids.v[i], st.st_ino, inner, ret_outer))
			err = 0;
	array_free(&pids);
	return err;
}

int pid_ns_outer(int ns, pid_t inner, pid_t *ret_outer)
{
	int outer = ioctl(ns, NS_GET_PID_FROM_PIDNS, (unsigned long)inner);

	if (outer > 0) {
		*ret_outer = outer;
		return 0;
	}
	if (outer < 0 && errno == ESRCH)
		return -ESRCH;
	return look_through_proc(ns, inner, ret_outer);
}

/* Upwards from the namespace of the process, to ours. */
static bool descends(int ns, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct stat want, st;
	bool found = false;
	int at = proc_open(pid, &proc) ? -1 : proc_ns_open(&proc, PROC_NS_PID);

	while (at >= 0 && !found && !fstat(ns, &want) && !fstat(at, &st)) {
		int parent = -1;

		found = st.st_ino == want.st_ino;
		if (!found)
			parent = ioctl(at, NS_GET_PARENT);
		close(at);
		at = parent;
	}
	if (at >= 0)
		close(at);
	return found;
}

/* Without the query: one of that very namespace. */
static int innermost(int ns, pid_t outer, pid_t *ret_inner)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	_cleanup_proc_status_ struct proc_status status = { 0 };
	struct stat st;
	uint32_t ino;

	if (proc_open(outer, &proc) || proc_ns_ino(&proc, PROC_NS_PID, &ino) || fstat(ns, &st) < 0 ||
	    ino != st.st_ino || proc_status_read(&proc, &status) || !status.levels)
		return -ESRCH;
	*ret_inner = status.nspid[status.levels - 1];
	return 0;
}

int pid_ns_inner(int ns, pid_t outer, pid_t *ret_inner)
{
	int inner = ioctl(ns, NS_GET_PID_IN_PIDNS, (unsigned long)outer);

	if (inner > 0) {
		*ret_inner = inner;
		return 0;
	}
	return inner < 0 && errno == ESRCH ? -ESRCH : innermost(ns, outer, ret_inner);
}

int pid_ns_parent(int ns, ino_t *ret_ino)
{
	_cleanup_close_ int parent = ioctl(ns, NS_GET_PARENT);
	struct stat st;

	if (parent < 0 || fstat(parent, &st) < 0)
		return -errno;
	*ret_ino = st.st_ino;
	return 0;
}

bool pid_ns_contains(int ns, pid_t outer)
{
	int inner = ioctl(ns, NS_GET_PID_IN_PIDNS, (unsigned long)outer);

	return inner > 0 || (inner < 0 && errno != ESRCH && descends(ns, outer));
}

int pid_ns_open_for_children(void)
{
	_cleanup_close_ int self = sys_pidfd_open(getpid(), 0);
	int fd;

	if (self < 0)
		return self;
	fd = ioctl(self, PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, 0);
	if (fd >= 0)
		return fd;
	return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

bool pid_ns_can_open_empty(void)
{
	_cleanup_close_ int fd = pid_ns_open_for_children();

	return fd >= 0;
}
