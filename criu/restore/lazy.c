// SPDX-License-Identifier: GPL-2.0-only
/* The tool's side of a lazy restore: the connection to the daemon that supplies the pages. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lazy/lazy.h"
#include "memory/lazy.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* One that was started before; -ENOENT: there is none. */
static int connect_daemon(struct restore *r)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char dir[PROC_FD_NAME_MAX];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int sock, err;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/" LAZY_SOCKET, proc_fd_path(dir, r->opts->work_dir_fd));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	err = connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	/* It gets the memory of the tree. */
	if (!err && (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || (peer.uid && peer.uid != geteuid())))
		err = -EPERM;
	if (!err)
		return sock;
	close(sock);
	return err == -ECONNREFUSED ? -ENOENT : err;
}

/* A process that will not report itself. */
static int report_without_memory(struct restore *r, const struct restore_task *rt)
{
	int32_t word = -rt->t.pid;

	if (rt->mm && rt->t.state != TASK_DEAD)
		return 0;
	return send(r->lazy.sock, &word, sizeof(word), MSG_NOSIGNAL) == sizeof(word) ? 0 : -errno;
}

static int keep(struct restore *r, int fd, int *ret)
{
	fd = move_fd_above(fd, r->service_base);
	if (fd < 0)
		return fail(fd, "keep the connection for lazy pages open");
	*ret = fd;
	return 0;
}

int restore_lazy_begin(struct restore *r)
{
	struct restore_task *rt;
	int sock, device, err;

	if (!r->opts->lazy_pages)
		return 0;
	err = memory_lazy_probe(&r->lazy.features);
	if (err)
		return err;
	device = open_at(AT_FDCWD, "/dev/userfaultfd", O_RDWR, 0);
	if (device >= 0)
		err = keep(r, device, &r->lazy.device);
	if (err)
		return err;
	sock = connect_daemon(r);
	r->lazy.own = sock == -ENOENT;
	err = r->lazy.own ? lazy_spawn(r->opts, r->dir, &sock) : sock < 0 ? fail(sock, "connect to " LAZY_SOCKET) : 0;
	if (!err)
		err = keep(r, sock, &r->lazy.sock);
	if (err)
		return err;
	restore_for_each_task(rt, r)
		if (!err)
			err = report_without_memory(r, rt);
	return err ? fail(err, "the daemon that supplies lazy pages has ended") : 0;
}

int restore_lazy_look(const struct restore *r)
{
	struct pollfd end = { .fd = r->lazy.sock };

	return poll(&end, 1, 0) > 0 ? fail(-EPIPE, "the daemon that supplies lazy pages has ended") : 0;
}

int restore_lazy_complete(struct restore *r)
{
	const uint32_t word = LAZY_COMMITTED;
	char ready;

	if (r->lazy.sock < 0)
		return 0;
	if (r->lazy.own && read_full(r->lazy.sock, &ready, 1) != 1)
		return fail(-EPIPE, "the daemon that supplies lazy pages has ended");
	if (send(r->lazy.sock, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		return fail(-errno, "the daemon that supplies lazy pages has ended");
	close(r->lazy.sock);
	r->lazy.sock = -1;
	return 0;
}
