// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_object.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netlink/msg.h>
#include "netfilter/nft_expression.h"
#include "netfilter/nft_table.h"

void nft_add_table(struct nft_batch *b, const char *table, bool owned, int flags)
{
	nft_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | flags);
	nft_attr_str(b, NFTA_TABLE_NAME, table);
	nft_attr_u32(b, NFTA_TABLE_FLAGS, owned ? NFT_TABLE_OWNER : 0);
	nft_message_end(b);
}

void nft_add_chain(struct nft_batch *b, const char *table, const char *chain, uint32_t hook)
{
	struct nlattr *at;

	nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nft_attr_str(b, NFTA_CHAIN_TABLE, table);
	nft_attr_str(b, NFTA_CHAIN_NAME, chain);
	at = nft_nest(b, NFTA_CHAIN_HOOK);
	nft_attr_u32(b, NFTA_HOOK_HOOKNUM, hook);
	nft_attr_u32(b, NFTA_HOOK_PRIORITY, (uint32_t)-450); /* before connection tracking */
	nft_nest_end(b, at);
	nft_attr_u32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nft_attr_str(b, NFTA_CHAIN_TYPE, "filter");
	nft_message_end(b);
}

void nft_add_set(struct nft_batch *b, const char *table, const struct nft_set *set)
{
	nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	nft_attr_str(b, NFTA_SET_TABLE, table);
	nft_attr_str(b, NFTA_SET_NAME, set->name);
	nft_attr_u32(b, NFTA_SET_FLAGS, 0);
	nft_attr_u32(b, NFTA_SET_KEY_TYPE, 0);
	nft_attr_u32(b, NFTA_SET_KEY_LEN, set->key_len);
	nft_attr_u32(b, NFTA_SET_ID, set->id);
	nft_message_end(b);
}

struct nlattr *nft_elements(struct nft_batch *b, const char *table, const struct nft_set *set)
{
	nft_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	nft_attr_str(b, NFTA_SET_ELEM_LIST_TABLE, table);
	nft_attr_str(b, NFTA_SET_ELEM_LIST_SET, set->name);
	nft_attr_u32(b, NFTA_SET_ELEM_LIST_SET_ID, set->id);
	return nft_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void nft_add_element(struct nft_batch *b, const void *key, size_t len)
{
	struct nlattr *element = nft_nest(b, NFTA_LIST_ELEM), *value = nft_nest(b, NFTA_SET_ELEM_KEY);

	nft_attr(b, NFTA_DATA_VALUE, key, len);
	nft_nest_end(b, value);
	nft_nest_end(b, element);
}

void nft_elements_end(struct nft_batch *b, struct nlattr *list)
{
	nft_nest_end(b, list);
	nft_message_end(b);
}

struct nlattr *nft_rule(struct nft_batch *b, const char *table, const char *chain, bool v6)
{
	uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, protocol = IPPROTO_TCP;
	uint32_t mark = NFT_LOCK_MARK;
	struct nlattr *expressions;

	nft_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nft_attr_str(b, NFTA_RULE_TABLE, table);
	nft_attr_str(b, NFTA_RULE_CHAIN, chain);
	expressions = nft_nest(b, NFTA_RULE_EXPRESSIONS);
	nft_load_meta(b, NFT_META_NFPROTO);
	nft_compare(b, NFT_CMP_EQ, &family, sizeof(family));
	nft_load_meta(b, NFT_META_L4PROTO);
	nft_compare(b, NFT_CMP_EQ, &protocol, sizeof(protocol));
	nft_load_meta(b, NFT_META_MARK);
	nft_compare(b, NFT_CMP_NEQ, &mark, sizeof(mark));
	return expressions;
}

void nft_rule_end(struct nft_batch *b, struct nlattr *expressions)
{
	nft_drop(b);
	nft_nest_end(b, expressions);
	nft_message_end(b);
}
