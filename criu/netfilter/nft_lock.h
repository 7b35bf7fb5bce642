/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network lock: an nftables table that drops the packets of certain TCP connections, in both directions. No program
 * is executed. Functions return 0 (unless noted otherwise) or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "netfilter/nft_table.h"
#include "netlink/exchange.h"

struct nft_lock {
	const struct nft_connection *connections;
	size_t nr_connections;
	const struct nft_listen_address *listening;
	size_t nr_listening;
};

/* Opens a netlink socket for nftables; close with netlink_close(). */
int nft_open(struct nl_sock **ret);
/*
 * Creates the table in one transaction. @owned: the kernel removes it when @netlink is closed, so also if we are
 * killed. New connections to the listening addresses are dropped; handshakes in progress can finish.
 */
int nft_lock_make(struct nl_sock *netlink, const char *table, bool owned, const struct nft_lock *lock);
/* In an owned table: from now on all packets to its listening addresses are dropped. */
int nft_lock_close_listening(struct nl_sock *netlink, const char *table, const struct nft_lock *lock);
/* -ENOENT: does not exist. */
int nft_lock_remove(struct nl_sock *netlink, const char *table);
/* Calls @each for every table of ours; it returns 0 to continue. */
int nft_lock_each(struct nl_sock *netlink, int (*each)(const char *table, bool owned, void *arg), void *arg);
/* Calls @each for every connection that a table of ours blocks; it returns 0 to continue. */
int nft_lock_each_connection(struct nl_sock *netlink, const char *table,
			     int (*each)(const struct nft_connection *, void *arg), void *arg);
/* Does a process on this host have this connection? 1, 0, or a negative errno. */
int nft_connection_lives(const struct nft_connection *c);
