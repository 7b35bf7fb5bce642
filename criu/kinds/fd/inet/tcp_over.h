/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In open: one that is over. */
int tcp_restore_over(const struct inet_socket *sk, int fd);
/* What comes from others than us does not reach the socket; a peer that does not exist. */
int tcp_hear_only_marked(int fd);
void tcp_hear_all(int fd);
int tcp_connect_to_nobody(int fd, int family, union inet_address *ret_peer);
