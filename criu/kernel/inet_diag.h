/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet sockets of this network namespace: NETLINK_SOCK_DIAG, inet_diag. sock_diag(7). 0 or a negative errno. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"

struct inet_diag_socket {
	uint8_t family, state; /* AF_*, the kernel's TCP_* */
	uint16_t src_port, dst_port;
	uint32_t src[4], dst[4]; /* network order; IPv4: the first word */
	uint32_t interface;
	uint32_t rqueue, wqueue; /* listening: connections that wait, backlog */
	uint32_t ino; /* 0: a connection that nobody has accepted, or of nobody any more */
	uint32_t uid;
	uint8_t shutdown; /* 1: receiving, 2: sending */
};
ARRAY_OF(inet_diag_sockets, struct inet_diag_socket);

/* All of a protocol with that local port (0: any) whose state is in @states (a mask of BIT(TCP_*)), appended. */
int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to);
/* Messages as the kernel sends them: 1 after the last one, 0 when more must follow; -EBADMSG: not the kernel's. */
int inet_diag_parse(const void *messages, size_t len, uint16_t src_port, struct inet_diag_sockets *to);
