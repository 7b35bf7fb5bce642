/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets and rules for listening addresses. */
#pragma once
#include <stddef.h>
#include "netfilter/nft_batch.h"
#include "netfilter/nft_table.h"

/* Drops new connections to them; handshakes in progress can finish. */
void nft_add_listening(struct nft_batch *b, const char *table, const struct nft_listen_address *address, size_t n);
/* In the same table: drops all packets to them. */
void nft_close_listening(struct nft_batch *b, const char *table, const struct nft_listen_address *address, size_t n);
