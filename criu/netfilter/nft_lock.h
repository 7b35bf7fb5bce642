/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of nftables that drops the packets of certain TCP connections, both ways. Netlink by hand: no library, no
 * program. All functions give 0 (or what they say) or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every table of ours begins so. */
#define NFT_LOCK_PREFIX "criu-lock-"
/* Packets that we make ourselves while it stands carry this mark, and pass. */
#define NFT_LOCK_MARK 0x43524955

struct nft_connection {
	bool v6; /* the packets are */
	uint32_t from[4], to[4]; /* network order; IPv4: the first word */
	uint16_t from_port, to_port; /* host order */
};

/* An address where somebody listens; @any: all addresses of that family. */
struct nft_door {
	bool v6, any;
	uint32_t address[4]; /* network order; IPv4: the first word */
	uint16_t port; /* host order */
};

struct nft_lock {
	const struct nft_connection *connections;
	size_t nr_connections;
	const struct nft_door *doors;
	size_t nr_doors;
};

/* A netlink socket to speak with nftables. */
int nft_open(void);
/*
 * One transaction. @owned: the kernel takes the table away when @netlink is closed, so also when we are killed. At a door
 * no connection is begun any more; those that have begun are finished.
 */
int nft_lock_make(int netlink, const char *table, bool owned, const struct nft_lock *lock);
/* Of an owned one: from now on nothing comes in at its doors at all. */
int nft_lock_shut(int netlink, const char *table, const struct nft_lock *lock);
/* -ENOENT: there is none. */
int nft_lock_remove(int netlink, const char *table);
/* Calls @each with the name of every table of ours; it returns 0 to go on. */
int nft_lock_each(int netlink, int (*each)(const char *table, bool owned, void *arg), void *arg);
/* Calls @each with every connection that a table of ours holds back; it returns 0 to go on. */
int nft_lock_each_connection(int netlink, const char *table, int (*each)(const struct nft_connection *, void *arg),
			     void *arg);
/* Is this a connection of somebody who lives here: 1, 0, or a negative errno. */
int nft_connection_lives(const struct nft_connection *c);
