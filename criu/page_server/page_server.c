// SPDX-License-Identifier: GPL-2.0-only
#include "page_server/page_server.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "page_server/images.h"
#include "page_server/session.h"
#include "run/background.h"
#include "run/interrupt.h"
#include "transport/endpoint.h"
#include "util/fds.h"
#include "util/log.h"

struct page_server {
	const struct options *opts;
	struct images images;
	int listener; /* -1: --ps-socket */
	int signals;
	sigset_t mask_before;
};

void page_server_free(struct page_server *server)
{
	if (!server)
		return;
	images_free(&server->images);
	cleanup_close(&server->listener);
	cleanup_close(&server->signals);
	free(server);
}

int page_server_begin(const struct options *opts, struct page_server **ret, uint16_t *ret_port)
{
	struct page_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return fail(-ENOMEM, "page server");
	*server = (struct page_server){ .opts = opts, .listener = -1, .signals = -1 };
	err = endpoint_listen(opts, &server->listener, ret_port);
	if (err) {
		page_server_free(server);
		return err;
	}
	if (*ret_port)
		log_info("page server: listening on port %u", *ret_port);
	*ret = server;
	return 0;
}

static int watch_signals(struct page_server *server)
{
	sigset_t mask;

	interrupt_begin(&server->mask_before);
	interrupt_signals(&mask);
	server->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return server->signals < 0 ? fail(-errno, "signalfd") : 0;
}

/* A transaction belongs to the process that has begun it. */
int page_server_ready(struct page_server *server, int ready)
{
	int err = watch_signals(server);

	if (!err)
		err = images_begin(&server->images, server->opts->images_dir_fd, server->opts->parent_dir);
	return err ? err : background_ready(server->opts, ready);
}

static int serve_client(struct page_server *server)
{
	const bool shared = server->opts->ps_socket >= 0;
	_cleanup_connection_ struct connection connection = CONNECTION_NONE;
	struct page_session_outcome outcome = { .must_know = server->opts->auto_dedup };
	int err = endpoint_accept(server->opts, &server->listener, server->signals, &connection);

	if (err == -EINTR)
		return fail(err, "stopped by a signal before a client came");
	if (err)
		return err;
	log_info("page server: client %s", connection.peer);
	err = page_session_serve(&connection, &server->images, shared, &outcome);
	if (!err && outcome.complete)
		images_dedup(&server->images);
	else if (!err && outcome.unknown)
		log_warn(
			"--auto-dedup: nothing is freed in the previous images: %s. If it is complete, `criu dedup` frees it when all images are in one directory",
			outcome.unknown);
	return err;
}

int page_server_serve(struct page_server *server)
{
	const sigset_t was = server->mask_before;
	int err = serve_client(server);

	page_server_free(server);
	interrupt_end(&was);
	return err;
}

int page_server_run(const struct options *opts)
{
	_cleanup_close_ int ready = -1;
	struct page_server *server = NULL;
	uint16_t port;
	int err = page_server_begin(opts, &server, &port);

	if (!err && opts->restore_detached)
		err = background_enter(&ready);
	if (!err)
		err = page_server_ready(server, ready);
	if (!err)
		return page_server_serve(server);
	page_server_free(server);
	return err;
}
