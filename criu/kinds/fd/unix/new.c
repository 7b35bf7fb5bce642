// SPDX-License-Identifier: GPL-2.0-only
/* New sockets, in the network namespace of one that is restored: abstract names belong to it. */
#include <errno.h>
#include <unistd.h>
#include "kinds/fd/unix/internal.h"
#include "run/network.h"

int unix_new_socket(struct restore *r, const struct unix_sock *sock)
{
	struct network_visit visit;
	int fd, left, err = network_enter(r, sock->file->network, &visit);

	if (err)
		return err;
	fd = socket(AF_UNIX, (int)(sock->entry->type | SOCK_CLOEXEC), 0);
	fd = fd < 0 ? -errno : fd;
	left = network_leave(r, &visit);
	if (!left)
		return fd;
	if (fd >= 0)
		close(fd);
	return left;
}

int unix_new_pair(struct restore *r, const struct unix_sock *sock, int fds[2])
{
	struct network_visit visit;
	int left, err = network_enter(r, sock->file->network, &visit);

	if (err)
		return err;
	if (socketpair(AF_UNIX, (int)(sock->entry->type | SOCK_CLOEXEC), 0, fds) < 0)
		err = fail(-errno, "socketpair");
	left = network_leave(r, &visit);
	if (!err && left) {
		close(fds[0]);
		close(fds[1]);
	}
	return err ? err : left;
}
