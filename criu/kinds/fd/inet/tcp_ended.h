/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In open: an ended connection. */
int tcp_restore_ended(const struct inet_socket *sk, int fd);
/* Segments that we did not send do not reach the socket; connect to a peer that does not exist. */
int tcp_filter_unmarked(int fd);
void tcp_filter_remove(int fd);
int tcp_connect_to_fake_peer(int fd, int family, union inet_address *ret_peer);
