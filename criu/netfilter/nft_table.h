/* SPDX-License-Identifier: GPL-2.0-only */
/* Definitions shared by the code that creates network locks and the code that lists them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define NFT_TABLE_OWNER 2u /* NFT_TABLE_F_OWNER, missing in older headers */
/* Prefix of the names of our tables. */
#define NFT_LOCK_PREFIX "criu-lock-"
/* Packets that we send ourselves while the lock exists have this mark, and pass. */
#define NFT_LOCK_MARK 0x43524955

struct nft_connection {
	bool v6; /* IPv6 */
	uint32_t from[4], to[4]; /* network order; IPv4: the first word */
	uint16_t from_port, to_port; /* host order */
};

/* A listening address; @any: all addresses of that family. */
struct nft_listen_address {
	bool v6, any;
	uint32_t address[4]; /* network order; IPv4: the first word */
	uint16_t port; /* host order */
};

/* Elements for both directions of each connection: addresses and ports, each in registers of four bytes. */
static inline const char *nft_connection_set(bool v6)
{
	return v6 ? "tcp6" : "tcp4";
}
