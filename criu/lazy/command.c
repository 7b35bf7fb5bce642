// SPDX-License-Identifier: GPL-2.0-only
/* criu lazy-pages: the daemon for a restore that connects to it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "image/dir.h"
#include "lazy/daemon.h"
#include "lazy/load.h"
#include "lazy/report.h"
#include "lazy/lazy.h"
#include "lazy/remote.h"
#include "run/background.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"
#include "util/proc_root.h"

/* In the work directory, where a daemon that was killed may have left a socket. */
static int listen_in(const struct options *opts)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[PROC_FD_NAME_MAX];
	struct stat st;
	mode_t mask;
	int sock, err;

	if (!fstatat(opts->work_dir_fd, LAZY_SOCKET, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		unlinkat(opts->work_dir_fd, LAZY_SOCKET, 0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(-errno, "socket");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/" LAZY_SOCKET, proc_fd_path(dir, opts->work_dir_fd));
	/* Whoever connects gets the memory of the tree. */
	mask = umask(0077);
	/* The kernel says who has sent a descriptor. */
	setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	err = bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(sock, 10) < 0 ? -errno : 0;
	umask(mask);
	if (!err)
		return sock;
	close(sock);
	return fail(err, "listen on " LAZY_SOCKET " in the work directory");
}

/* Or for the end of the source, which continues then. */
static int await_restore(const struct lazy_daemon *d, int sock)
{
	struct pollfd fds[2] = { { .fd = sock, .events = POLLIN },
				 { .fd = d->remote ? remote_fd(d) : -1, .events = POLLRDHUP } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return fail(-errno, "poll");
	return fds[1].revents ? remote_hung_up(d) : 0;
}

static int accept_restore(struct lazy_daemon *d, int sock)
{
	struct ucred peer = { 0 };
	int err = await_restore(d, sock);

	while (!err && (d->sock = accept4(sock, NULL, NULL, SOCK_CLOEXEC)) < 0 && errno == EINTR)
		;
	unlinkat(d->opts->work_dir_fd, LAZY_SOCKET, 0);
	if (!err && d->sock < 0)
		err = fail(-errno, "accept");
	if (!err && !getsockopt(d->sock, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		d->tool = peer.pid;
	return err;
}

static int run(struct lazy_daemon *d, int sock, int *ready)
{
	int err = d->opts->restore_detached ? background_enter(ready) : 0;

	if (!lazy_has_log_file() && d->opts->restore_detached)
		log_to_fd(-1);
	/* Before anything depends on it. */
	if (!err && d->opts->page_server)
		err = remote_begin(d);
	if (!err)
		err = background_ready(d->opts, *ready);
	if (err)
		return err;
	log_info("lazy pages: listening on " LAZY_SOCKET);
	err = accept_restore(d, sock);
	close(sock);
	if (!err)
		err = lazy_begin(d);
	if (!err)
		err = lazy_serve(d);
	if (d->opts->pidfile)
		output_remove(d->opts->work_dir_fd, d->opts->pidfile);
	/* The holder, which goes on, has the same descriptors: that of the log must not be closed. */
	if (err && d->committed)
		_exit(1);
	return err;
}

int lazy_pages_run(const struct options *opts)
{
	struct image_store *dir = NULL;
	struct lazy_daemon d;
	int ready = -1, sock, err = image_dir_open_fd(opts->images_dir_fd, &dir);

	if (err)
		return fail(err, "open the images directory %s", opts->images_dir);
	fds_raise_limit();
	lazy_init(&d, opts);
	err = lazy_load(&d, dir);
	if (!err && !opts->page_server)
		err = lazy_check_local(&d);
	image_store_close(dir);
	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);
	sock = listen_in(opts);
	err = sock < 0 ? sock : run(&d, sock, &ready);
	if (ready >= 0)
		close(ready);
	return err;
}
