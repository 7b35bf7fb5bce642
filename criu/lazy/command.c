// SPDX-License-Identifier: GPL-2.0-only
/* criu lazy-pages: the daemon for a restore that connects to it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include "image/dir.h"
#include "lazy/connect.h"
#include "lazy/daemon.h"
#include "lazy/kept.h"
#include "lazy/load.h"
#include "lazy/report.h"
#include "lazy/lazy.h"
#include "lazy/remote.h"
#include "lazy/restores.h"
#include "run/background.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"

/* Or for the end of the source, which continues then. */
static int await_restore(struct lazy_daemon *d, int sock)
{
	struct pollfd fds[2] = { { .fd = sock, .events = POLLIN },
				 { .fd = d->remote ? remote_fd(d) : -1, .events = POLLRDHUP } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return fail(-errno, "poll");
	return fds[1].revents ? remote_hung_up(d) : 0;
}

static int accept_restore(struct lazy_daemon *d, int sock, const char *id, struct lazy_client *client)
{
	int err;

	do {
		err = await_restore(d, sock);
		if (!err)
			err = lazy_accept(sock, id, client);
	} while (err == -EAGAIN);
	lazy_refuse_all(sock, id, err ? "it ends" : "it has the one restore that it is to serve (more: --restores)");
	unlinkat(d->opts->work_dir_fd, LAZY_SOCKET, 0);
	close(sock);
	if (!err) {
		d->sock = client->sock;
		d->tool = client->tool;
	}
	return err;
}

/* One restore, as CRIU does. */
static int serve_one(struct lazy_daemon *d, int sock, const char *id)
{
	struct lazy_client client = { .sock = -1 };
	int err = accept_restore(d, sock, id, &client);

	if (!err)
		err = lazy_begin(d);
	if (!err && lazy_greet(&client))
		err = fail(-ECONNRESET, "the restore has ended before the tree was complete");
	return err ? err : lazy_serve(d);
}

/* As many as --restores says. */
static int serve_several(struct lazy_daemon *d, struct kept *kept, int sock, const char *id)
{
	int err = restores_serve(d, kept, sock, id);

	kept_end(kept, !err);
	return err;
}

static int run(struct lazy_daemon *d, int sock, const char *id, int *ready)
{
	struct kept *kept = NULL;
	int err = d->opts->restore_detached ? background_enter(ready) : 0;

	if (!lazy_has_log_file() && d->opts->restore_detached)
		log_to_fd(-1);
	/* Before anything depends on it. */
	if (!err && d->opts->page_server)
		err = d->opts->several ? kept_begin(d, &kept) : remote_begin(d);
	if (!err)
		err = background_ready(d->opts, *ready);
	if (err)
		return err;
	log_info("lazy pages: listening on " LAZY_SOCKET);
	err = d->opts->several ? serve_several(d, kept, sock, id) : serve_one(d, sock, id);
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
	char id[LAZY_ID_SIZE];
	struct lazy_daemon d;
	int ready = -1, sock, err = image_dir_open_fd(opts->images_dir_fd, &dir);

	if (err)
		return fail(err, "open the images directory %s", opts->images_dir);
	fds_raise_limit();
	lazy_init(&d, opts);
	err = lazy_identity(opts, dir, id);
	if (!err)
		err = lazy_load(&d, dir);
	if (!err && !opts->page_server)
		err = lazy_check_local(&d);
	image_store_close(dir);
	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);
	sock = lazy_listen(opts);
	err = sock < 0 ? sock : run(&d, sock, id, &ready);
	if (ready >= 0)
		close(ready);
	return err;
}
