/* SPDX-License-Identifier: GPL-2.0-only */
/* What those who make locks of the network, and those who list them, must agree on; and what a lock is made of. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define NFT_TABLE_OWNER 2u /* NFT_TABLE_F_OWNER, which is younger than some headers */
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
struct nft_listen_address {
	bool v6, any;
	uint32_t address[4]; /* network order; IPv4: the first word */
	uint16_t port; /* host order */
};

/* Both directions of each connection, one after the other: addresses and ports, each in registers of four bytes. */
static inline const char *nft_connection_set(bool v6)
{
	return v6 ? "tcp6" : "tcp4";
}
