// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_expression.h"
#include <linux/netfilter.h>

struct expression {
	struct nlattr *element, *data;
};

static struct expression expression(struct nft_batch *b, const char *name)
{
	struct expression e = { .element = nft_nest(b, NFTA_LIST_ELEM) };

	nft_attr_str(b, NFTA_EXPR_NAME, name);
	e.data = nft_nest(b, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct nft_batch *b, struct expression e)
{
	nft_nest_end(b, e.data);
	nft_nest_end(b, e.element);
}

static void add_value(struct nft_batch *b, int type, const void *data, size_t len)
{
	struct nlattr *value = nft_nest(b, type);

	nft_attr(b, NFTA_DATA_VALUE, data, len);
	nft_nest_end(b, value);
}

void nft_load_meta(struct nft_batch *b, uint32_t key)
{
	struct expression e = expression(b, "meta");

	nft_attr_u32(b, NFTA_META_KEY, key);
	nft_attr_u32(b, NFTA_META_DREG, NFT_REG32_00);
	expression_end(b, e);
}

void nft_load_payload(struct nft_batch *b, const struct nft_payload *payload)
{
	struct expression e = expression(b, "payload");

	nft_attr_u32(b, NFTA_PAYLOAD_DREG, NFT_REG32_00 + payload->to);
	nft_attr_u32(b, NFTA_PAYLOAD_BASE, payload->base);
	nft_attr_u32(b, NFTA_PAYLOAD_OFFSET, payload->offset);
	nft_attr_u32(b, NFTA_PAYLOAD_LEN, payload->len);
	expression_end(b, e);
}

void nft_mask(struct nft_batch *b, const void *bits, uint32_t len)
{
	static const uint8_t none[16];
	struct expression e = expression(b, "bitwise");

	nft_attr_u32(b, NFTA_BITWISE_SREG, NFT_REG32_00);
	nft_attr_u32(b, NFTA_BITWISE_DREG, NFT_REG32_00);
	nft_attr_u32(b, NFTA_BITWISE_LEN, len);
	add_value(b, NFTA_BITWISE_MASK, bits, len);
	add_value(b, NFTA_BITWISE_XOR, none, len);
	expression_end(b, e);
}

void nft_compare(struct nft_batch *b, uint32_t how, const void *data, size_t len)
{
	struct expression e = expression(b, "cmp");

	nft_attr_u32(b, NFTA_CMP_SREG, NFT_REG32_00);
	nft_attr_u32(b, NFTA_CMP_OP, how);
	add_value(b, NFTA_CMP_DATA, data, len);
	expression_end(b, e);
}

void nft_look_up(struct nft_batch *b, const char *set, uint32_t set_id)
{
	struct expression e = expression(b, "lookup");

	nft_attr_str(b, NFTA_LOOKUP_SET, set);
	nft_attr_u32(b, NFTA_LOOKUP_SREG, NFT_REG32_00);
	nft_attr_u32(b, NFTA_LOOKUP_SET_ID, set_id);
	expression_end(b, e);
}

void nft_drop(struct nft_batch *b)
{
	struct expression e = expression(b, "immediate");
	struct nlattr *data, *verdict;

	nft_attr_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nft_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nft_nest(b, NFTA_DATA_VERDICT);
	nft_attr_u32(b, NFTA_VERDICT_CODE, NF_DROP);
	nft_nest_end(b, verdict);
	nft_nest_end(b, data);
	expression_end(b, e);
}
