/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internet sockets of the caller's network namespace: NETLINK_SOCK_DIAG, inet_diag. sock_diag(7). Functions return 0 or
 * a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"

/* In a mask of states: sockets that are bound, but neither listen nor are connected, which Linux 6.8 and later list. */
#define INET_DIAG_BOUND 13 /* TCP_BOUND_INACTIVE, include/net/tcp_states.h */

struct nl_sock;

struct inet_diag_socket {
	uint8_t family, state; /* AF_*, the kernel's TCP_* */
	uint16_t src_port, dst_port;
	uint32_t src[4], dst[4]; /* network order; IPv4: the first word */
	uint32_t interface;
	uint32_t rqueue, wqueue; /* listening: queued connections, backlog */
	uint32_t ino; /* 0: a connection that has not been accepted, or is orphaned */
	uint32_t uid;
	uint8_t shutdown; /* 1: receiving, 2: sending */
	bool v6only; /* IPV6_V6ONLY; false for connections */
};
ARRAY_OF(inet_diag_sockets, struct inet_diag_socket);

/* TCP_MD5SIG; reported only with CAP_NET_ADMIN. */
#define INET_DIAG_KEY_MAX 80
struct inet_diag_key {
	uint8_t family, prefix; /* AF_*, of peers' addresses */
	uint16_t len;
	uint32_t address[4];
	uint8_t key[INET_DIAG_KEY_MAX];
};
ARRAY_OF(inet_diag_keys, struct inet_diag_key);

/* Appends all sockets of a protocol with that local port (0: any) whose state is in @states (a mask of BIT(TCP_*)). */
int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to);
/* Can the kernel list the sockets of that protocol? 1, 0, or a negative errno. */
int inet_diag_lists(int family, int protocol);
/*
 * The TCP socket with the inode, family, state, addresses, ports and interface of @like; its keys are appended.
 * -ENOENT: not listed, like most closed ones. @netlink: from sock_diag_open().
 */
int inet_diag_find(struct nl_sock *netlink, const struct inet_diag_socket *like, struct inet_diag_socket *ret,
		   struct inet_diag_keys *keys);
/*
 * For tests: parses messages as the kernel sends them, for the socket with inode @ino (0: any), and its keys unless
 * @keys is NULL; see netlink_parse().
 */
int inet_diag_parse(const void *messages, size_t len, uint32_t ino, struct inet_diag_sockets *to,
		    struct inet_diag_keys *keys);
