/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet sockets of this network namespace: NETLINK_SOCK_DIAG, inet_diag. sock_diag(7). 0 or a negative errno. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"

struct nl_sock;

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

/* TCP_MD5SIG; told to CAP_NET_ADMIN only. */
#define INET_DIAG_KEY_MAX 80
struct inet_diag_key {
	uint8_t family, prefix; /* AF_*, of peers' addresses */
	uint16_t len;
	uint32_t address[4];
	uint8_t key[INET_DIAG_KEY_MAX];
};
ARRAY_OF(inet_diag_keys, struct inet_diag_key);

/* All of a protocol with that local port (0: any) whose state is in @states (a mask of BIT(TCP_*)), appended. */
int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to);
/* Does the kernel list the sockets of that protocol: 1, 0, or a negative errno. */
int inet_diag_lists(int family, int protocol);
/*
 * The TCP socket with the inode, family, state, addresses, ports and interface of @like, and its keys, appended.
 * -ENOENT: it is not listed, as most closed ones. @netlink: of sock_diag_open().
 */
int inet_diag_find(struct nl_sock *netlink, const struct inet_diag_socket *like, struct inet_diag_socket *ret,
		   struct inet_diag_keys *keys);
/*
 * For tests: messages as the kernel sends them, of the socket with the inode @ino (0: any), and its keys unless @keys is
 * NULL; as netlink_parse().
 */
int inet_diag_parse(const void *messages, size_t len, uint32_t ino, struct inet_diag_sockets *to,
		    struct inet_diag_keys *keys);
