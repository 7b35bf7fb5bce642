// SPDX-License-Identifier: GPL-2.0-only
/* Options that sock_diag(7) does not report: they are read from a copy of a descriptor, which nobody notices. */
#include "kinds/fd/inet/holder.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "util/fds.h"

static bool is_link_to(const struct proc *p, int fd, const char *socket)
{
	char name[24], link[64];

	snprintf(name, sizeof(name), "fd/%d", fd);
	return proc_link(p, name, link, sizeof(link)) > 0 && !strcmp(link, socket);
}

/* A copy of the descriptor of @pid that refers to @socket; -ENOENT: it has none. */
static int copy_from(pid_t pid, const char *socket)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_close_ int pidfd = -1;
	struct int_array fds = { 0 };
	int found = -ENOENT;

	if (!proc_open(pid, &p) && !proc_fds(&p, &fds))
		for (size_t i = 0; found < 0 && i < fds.n; i++)
			if (is_link_to(&p, fds.v[i], socket))
				found = fds.v[i];
	array_free(&fds);
	if (found < 0)
		return found;
	pidfd = sys_pidfd_open(pid, 0);
	return pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, found);
}

static int option(int fd, int name, bool *ret_on)
{
	int value;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &(socklen_t){ sizeof(value) }) < 0)
		return -errno;
	*ret_on = value;
	return 0;
}

int inet_sharing_of(uint32_t ino, struct inet_sharing *ret)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_close_ int fd = -ENOENT;
	struct pid_array pids = { 0 };
	char socket[32];
	int err = proc_open_self(&self);

	snprintf(socket, sizeof(socket), "socket:[%u]", ino);
	if (!err)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; !err && fd < 0 && i < pids.n; i++)
		fd = copy_from(pids.v[i], socket);
	array_free(&pids);
	if (err || fd < 0)
		return err ? err : -ENOENT;
	err = option(fd, SO_REUSEADDR, &ret->address);
	return err ? err : option(fd, SO_REUSEPORT, &ret->port);
}
