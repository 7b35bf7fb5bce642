/* SPDX-License-Identifier: GPL-2.0-only */
/* The connection that options ask for: --address, --port, --ps-socket, --tls. Errors are logged. */
#pragma once
#include "run/options.h"
#include "transport/connection.h"

/* The side that connects. @stop_fd: of the connection. */
int endpoint_connect(const struct options *opts, int stop_fd, struct connection *ret);
/*
 * The side that listens. *ret_listener: -1 with --ps-socket, which is connected already. *ret_port: where it listens, 0 with
 * --ps-socket.
 */
int endpoint_listen(const struct options *opts, int *ret_listener, uint16_t *ret_port);
/* Waits for the only client, and closes *@listener. -EINTR, not logged: because of @stop_fd. */
int endpoint_accept(const struct options *opts, int *listener, int stop_fd, struct connection *ret);
