/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In load. */
int tcp_load(struct restore *r, struct inet_socket *sk);
/* In finish: the connection, in repair mode. */
int tcp_connect_repaired(const struct inet_socket *sk, int fd);
/* In ready, when all of them exist: activates the connection. */
int tcp_revive(const struct inet_socket *sk, int fd);
