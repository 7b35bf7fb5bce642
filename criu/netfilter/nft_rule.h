/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel reports of rules, and does not accept as it is. */
#pragma once
#include "netfilter/nft_batch.h"

struct nlattr;
struct nlmsghdr;

/* Adds the @expressions of a rule (NFTA_RULE_EXPRESSIONS) to the current message. */
void nft_add_expressions(struct nft_batch *b, const struct nlattr *expressions);

/*
 * Adds to the current message, a copy of the @rule that the kernel reported, what extensions of iptables, which iptables-nft uses,
 * need besides (NFTA_RULE_COMPAT): the protocol that the rule matches. Whoever creates a rule states it, and the kernel does not report
 * it; but the rule tests it with expressions of its own.
 */
void nft_add_compat(struct nft_batch *b, const struct nlmsghdr *rule);
