/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets and rules of addresses where somebody listens. */
#pragma once
#include <stddef.h>
#include "netfilter/nft_batch.h"
#include "netfilter/nft_table.h"

/* No connection to them is begun any more; those that have begun are finished. */
void nft_add_doors(struct nft_batch *b, const char *table, const struct nft_listen_address *door, size_t n);
/* Of the same table: nothing comes in there at all. */
void nft_shut_doors(struct nft_batch *b, const char *table, const struct nft_listen_address *door, size_t n);
