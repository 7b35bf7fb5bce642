/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables, chains, sets and rules, as far as the network lock needs them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "netfilter/nft_batch.h"

/* Per message; each is an attribute of some 60 bytes, and the list is an attribute of at most 64K. */
#define NFT_ELEMENTS_MAX 500u

struct nft_set {
	const char *name;
	uint32_t id; /* used by rules of the same transaction */
	uint32_t key_len;
};

/* @flags: NLM_F_*; @owned: it is removed with the netlink socket. */
void nft_add_table(struct nft_batch *b, const char *table, bool owned, int flags);
void nft_add_chain(struct nft_batch *b, const char *table, const char *chain, uint32_t hook);
void nft_add_set(struct nft_batch *b, const char *table, const struct nft_set *set);

/* A message with set elements, added by nft_add_element() until nft_elements_end(). */
struct nlattr *nft_elements(struct nft_batch *b, const char *table, const struct nft_set *set);
void nft_add_element(struct nft_batch *b, const void *key, size_t len);
void nft_elements_end(struct nft_batch *b, struct nlattr *list);

/* A rule that drops TCP packets except our own; further conditions are added until nft_rule_end(). */
struct nlattr *nft_rule(struct nft_batch *b, const char *table, const char *chain, bool v6);
void nft_rule_end(struct nft_batch *b, struct nlattr *expressions);
