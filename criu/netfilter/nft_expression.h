/* SPDX-License-Identifier: GPL-2.0-only */
/* The expressions of nf_tables rules. Comparisons and lookups use the first register. */
#pragma once
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>
#include "netfilter/nft_batch.h"

struct nft_payload {
	uint32_t base, offset, len; /* NFT_PAYLOAD_* */
	uint32_t to; /* register of four bytes, counted from the first one */
};

void nft_load_meta(struct nft_batch *b, uint32_t key);
void nft_load_payload(struct nft_batch *b, const struct nft_payload *payload);
void nft_mask(struct nft_batch *b, const void *bits, uint32_t len);
/* The rule continues if the register is, or is not, equal to @data (NFT_CMP_*). */
void nft_compare(struct nft_batch *b, uint32_t how, const void *data, size_t len);
/* The rule continues if the set has such an element. */
void nft_look_up(struct nft_batch *b, const char *set, uint32_t set_id);
void nft_drop(struct nft_batch *b);
