// SPDX-License-Identifier: GPL-2.0-only
#include "transport/endpoint.h"
#include <errno.h>
#include <unistd.h>

#include "transport/addresses.h"
#include "transport/tls.h"
#include "util/fds.h"
#include "util/log.h"

/* A peer that lives, but neither takes nor sends a byte for so long in the middle of an exchange, is given up. */
#define PROGRESS_TIMEOUT_MS 60000

/* The number stays open for whoever has passed it; ours is a copy. */
static int open_passed(const struct options *opts, struct connection *ret)
{
	int fd = dup_fd_above(opts->ps_socket, 3), err;

	if (fd < 0)
		return fail(fd, "--ps-socket %d", opts->ps_socket);
	err = connection_open(ret, fd);
	if (!err)
		return 0;
	close(fd);
	return fail(err, "--ps-socket %d; expected a connected stream socket", opts->ps_socket);
}

/* Plain text never goes over a connection that was to be encrypted. */
static int encrypt(const struct options *opts, bool server, struct connection *c)
{
	int err = opts->tls ? tls_start(c, opts, server) : 0;

	if (err)
		connection_close(c);
	return err;
}

int endpoint_connect(const struct options *opts, int stop_fd, struct connection *ret)
{
	int err;

	if (opts->ps_socket >= 0)
		err = open_passed(opts, ret);
	else
		err = address_connect(opts->address ? opts->address : "127.0.0.1", opts->port, stop_fd, ret);
	if (err)
		return err;
	ret->stop_fd = stop_fd;
	ret->timeout_ms = PROGRESS_TIMEOUT_MS;
	return encrypt(opts, false, ret);
}

int endpoint_listen(const struct options *opts, int *ret_listener, uint16_t *ret_port)
{
	*ret_listener = -1;
	*ret_port = 0;
	return opts->ps_socket >= 0 ? 0 : address_listen(opts->address, opts->port, ret_listener, ret_port);
}

int endpoint_accept(const struct options *opts, int *listener, int stop_fd, struct connection *ret)
{
	int err = opts->ps_socket >= 0 ? open_passed(opts, ret) : address_accept(listener, stop_fd, ret);

	if (err)
		return err;
	ret->stop_fd = stop_fd;
	return encrypt(opts, true, ret);
}
