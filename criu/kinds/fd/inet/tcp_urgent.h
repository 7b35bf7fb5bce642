/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

int tcp_urgent_check(const struct inet_socket *sk, const TcpStreamEntry *e);
/* In repair mode: unread data from the urgent byte on, whose sequence number is @seq. */
int tcp_urgent_receive(const struct inet_socket *sk, int fd, uint32_t seq, uint32_t ack);
/* A part of the send queue, with the urgent byte if it is in it. */
int tcp_urgent_put(const struct inet_socket *sk, int fd, uint32_t from, uint32_t len);
