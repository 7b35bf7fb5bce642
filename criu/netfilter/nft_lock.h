/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of nftables that drops the packets of certain TCP connections, both ways. No program is executed. All functions
 * give 0 (or what they say) or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "netfilter/nft_table.h"
#include "netlink/exchange.h"

struct nft_lock {
	const struct nft_connection *connections;
	size_t nr_connections;
	const struct nft_listen_address *doors;
	size_t nr_doors;
};

/* A netlink socket to speak with nftables; netlink_close(). */
int nft_open(struct nl_sock **ret);
/*
 * One transaction. @owned: the kernel takes the table away when @netlink is closed, so also when we are killed. At a door
 * no connection is begun any more; those that have begun are finished.
 */
int nft_lock_make(struct nl_sock *netlink, const char *table, bool owned, const struct nft_lock *lock);
/* Of an owned one: from now on nothing comes in at its doors at all. */
int nft_lock_shut(struct nl_sock *netlink, const char *table, const struct nft_lock *lock);
/* -ENOENT: there is none. */
int nft_lock_remove(struct nl_sock *netlink, const char *table);
/* Calls @each with the name of every table of ours; it returns 0 to go on. */
int nft_lock_each(struct nl_sock *netlink, int (*each)(const char *table, bool owned, void *arg), void *arg);
/* Calls @each with every connection that a table of ours holds back; it returns 0 to go on. */
int nft_lock_each_connection(struct nl_sock *netlink, const char *table,
			     int (*each)(const struct nft_connection *, void *arg), void *arg);
/* Is this a connection of somebody who lives here: 1, 0, or a negative errno. */
int nft_connection_lives(const struct nft_connection *c);
