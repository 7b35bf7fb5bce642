// SPDX-License-Identifier: GPL-2.0-only
/* The tool's side of a lazy restore: the connection to the daemon that supplies the pages. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lazy/connect.h"
#include "lazy/lazy.h"
#include "memory/lazy.h"
#include "restore/interrupted.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

#define WAIT_STEP_MS 100 /* signals are looked for as often */
#define SILENT_STEPS 10 /* before the user is told what is waited for */

static int ended(void)
{
	return fail(-EPIPE, "the daemon that supplies lazy pages has ended");
}

/* After a step of waiting for a daemon. */
static int wait_more(unsigned int *steps)
{
	if (++*steps == SILENT_STEPS)
		log_notice("waiting for the daemon of " LAZY_SOCKET
			   " in the work directory: it serves others first, or does not run");
	return restore_interrupted();
}

/*
 * When it has accepted us, and guards what we send, or has refused. Before there is a process: it may serve others first.
 */
static int await_greeting(int sock, unsigned int *steps)
{
	struct pollfd in = { .fd = sock, .events = POLLIN };
	char text[256];
	ssize_t n;
	int err = 0;

	while (!err && poll(&in, 1, WAIT_STEP_MS) <= 0)
		err = wait_more(steps);
	if (err)
		return err;
	n = recv(sock, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return ended();
	if (!*text)
		return 0;
	text[n] = '\0';
	return fail(-EINVAL, "the daemon that supplies lazy pages (" LAZY_SOCKET " in the work directory) refuses: %s",
		    text);
}

/* One that was started before; -ENOENT: there is none. */
static int connect_daemon(struct restore *r)
{
	char id[LAZY_ID_SIZE];
	unsigned int steps = 0;
	struct lazy_peer peer = { 0 };
	int err = lazy_identity(r->opts, r->dir, id), sock = -EAGAIN;

	while (!err && (sock = lazy_connect(r->opts, id, &peer)) == -EAGAIN) {
		poll(NULL, 0, WAIT_STEP_MS);
		err = wait_more(&steps);
	}
	if (err || sock < 0)
		return err ? err : sock;
	err = peer.greets ? await_greeting(sock, &steps) : 0;
	r->lazy.inherits = peer.inherits;
	if (!err)
		return sock;
	close(sock);
	return err;
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
	r->lazy.inherits |= r->lazy.own;
	err = r->lazy.own ? lazy_spawn(r->opts, r->dir, &sock) : sock < 0 ? sock : 0;
	if (!err)
		err = keep(r, sock, &r->lazy.sock);
	if (err)
		return err;
	restore_for_each_task(rt, r)
		if (!err)
			err = report_without_memory(r, rt);
	return err ? ended() : 0;
}

int restore_lazy_look(const struct restore *r)
{
	struct pollfd end = { .fd = r->lazy.sock };

	return poll(&end, 1, 0) > 0 ? ended() : 0;
}

int restore_lazy_complete(struct restore *r)
{
	const uint32_t word = LAZY_COMMITTED;
	char ready;

	if (r->lazy.sock < 0)
		return 0;
	if (r->lazy.own && read_full(r->lazy.sock, &ready, 1) != 1)
		return ended();
	if (send(r->lazy.sock, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		return ended();
	close(r->lazy.sock);
	r->lazy.sock = -1;
	return 0;
}
