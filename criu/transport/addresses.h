/* SPDX-License-Identifier: GPL-2.0-only */
/* Connecting and listening by TCP. Errors are logged. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "transport/connection.h"

/* Connects to the first address of the host that answers. @stop_fd: as that of a connection, while connecting. */
int address_connect(const char *host, uint16_t port, int stop_fd, struct connection *ret);
/*
 * A listening socket. @address is numeric; NULL: any IPv4 address. Port 0: one that is free. *ret_port: the port.
 */
int address_listen(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port);
/* Waits for a client, the only one: closes *@listener, so that others are refused. -EINTR, not logged: @stop_fd. */
int address_accept(int *listener, int stop_fd, struct connection *ret);
