// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_rule.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/bits.h"

struct protocol {
	bool loaded, known, inverted, needed;
	uint32_t reg;
	uint8_t value;
};

static uint32_t number(const struct nlattr *in, int type)
{
	const struct nlattr *attr = netlink_nested(in, type);

	return attr && nla_len(attr) == sizeof(uint32_t) ? ntohl(nla_get_u32(attr)) : 0;
}

static bool is_named(const struct nlattr *expression, const char *name)
{
	const struct nlattr *attr = netlink_nested(expression, NFTA_EXPR_NAME);

	return attr && (size_t)nla_len(attr) == strlen(name) + 1 && !memcmp(nla_data(attr), name, strlen(name) + 1);
}

/* ---- expressions ---- */

/* What the kernel reports of an expression and refuses to be told. */
typedef bool (*is_refused)(const struct nlattr *data, const struct nlattr *attr);

/* Updates of sets (`add @set { ... }`) are reported with a timeout of 0, which the kernel refuses for sets without timeouts. */
static bool is_no_timeout(const struct nlattr *data, const struct nlattr *attr)
{
	static const uint64_t zero;

	(void)data;
	return nla_type(attr) == NFTA_DYNSET_TIMEOUT && nla_len(attr) == sizeof(zero) &&
	       !memcmp(nla_data(attr), &zero, sizeof(zero));
}

/*
 * Options of TCP that are changed (`tcp option maxseg size set`) are reported with flags, those that are overwritten
 * (`reset tcp option`) also with an offset and a length. Only what reads options takes them.
 */
static bool is_of_reading(const struct nlattr *data, const struct nlattr *attr)
{
	bool writes = netlink_nested(data, NFTA_EXTHDR_SREG), reads = netlink_nested(data, NFTA_EXTHDR_DREG);
	int type = nla_type(attr);

	if (reads)
		return false;
	return type == NFTA_EXTHDR_FLAGS || (!writes && (type == NFTA_EXTHDR_OFFSET || type == NFTA_EXTHDR_LEN));
}

static void add_without(struct nft_batch *b, const struct nlattr *expression, const char *name, is_refused refused)
{
	struct nlattr *nest = nft_nest(b, NFTA_LIST_ELEM), *inner;
	const struct nlattr *attr, *data = netlink_nested(expression, NFTA_EXPR_DATA);
	int left;

	nft_attr_str(b, NFTA_EXPR_NAME, name);
	inner = nft_nest(b, NFTA_EXPR_DATA);
	if (data)
		nla_for_each_nested(attr, data, left) if (!refused(data, attr))
			nft_attr(b, attr->nla_type, nla_data(attr), (size_t)nla_len(attr));
	nft_nest_end(b, inner);
	nft_nest_end(b, nest);
}

void nft_add_expressions(struct nft_batch *b, const struct nlattr *expressions)
{
	struct nlattr *nest = nft_nest(b, NFTA_RULE_EXPRESSIONS);
	const struct nlattr *expression;
	int left;

	nla_for_each_nested(expression, expressions, left)
	{
		if (is_named(expression, "dynset"))
			add_without(b, expression, "dynset", is_no_timeout);
		else if (is_named(expression, "exthdr"))
			add_without(b, expression, "exthdr", is_of_reading);
		else
			nft_attr(b, expression->nla_type, nla_data(expression), (size_t)nla_len(expression));
	}
	nft_nest_end(b, nest);
}

/* ---- extensions of iptables ---- */

/* The expression loads the protocol: `meta l4proto`, or the field of the IP header. */
static bool loads_protocol(const struct nlattr *expression, uint8_t family, uint32_t *ret_reg)
{
	const struct nlattr *data = netlink_nested(expression, NFTA_EXPR_DATA);
	uint32_t offset = family == NFPROTO_IPV6 ? offsetof(struct ip6_hdr, ip6_nxt) : offsetof(struct iphdr, protocol);

	if (is_named(expression, "meta") && number(data, NFTA_META_KEY) == NFT_META_L4PROTO) {
		*ret_reg = number(data, NFTA_META_DREG);
		return *ret_reg;
	}
	if (!is_named(expression, "payload") || number(data, NFTA_PAYLOAD_BASE) != NFT_PAYLOAD_NETWORK_HEADER ||
	    number(data, NFTA_PAYLOAD_OFFSET) != offset || number(data, NFTA_PAYLOAD_LEN) != 1)
		return false;
	*ret_reg = number(data, NFTA_PAYLOAD_DREG);
	return *ret_reg;
}

static void see_comparison(const struct nlattr *expression, struct protocol *p)
{
	const struct nlattr *data = netlink_nested(expression, NFTA_EXPR_DATA);
	const struct nlattr *value = netlink_nested(netlink_nested(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);

	if (!p->loaded || number(data, NFTA_CMP_SREG) != p->reg || !value || nla_len(value) != 1)
		return;
	p->known = true;
	p->value = *(const uint8_t *)nla_data(value);
	p->inverted = number(data, NFTA_CMP_OP) == NFT_CMP_NEQ;
}

static struct protocol protocol_of(const struct nlattr *expressions, uint8_t family)
{
	struct protocol p = { .needed = false };
	const struct nlattr *expression;
	int left;

	nla_for_each_nested(expression, expressions, left)
	{
		uint32_t reg;

		if (is_named(expression, "match") || is_named(expression, "target"))
			p.needed = true;
		else if (!p.known && loads_protocol(expression, family, &reg)) {
			p.loaded = true;
			p.reg = reg;
		} else if (!p.known && is_named(expression, "cmp"))
			see_comparison(expression, &p);
	}
	return p;
}

void nft_add_compat(struct nft_batch *b, const struct nlmsghdr *rule)
{
	const struct nfgenmsg *gen = nlmsg_data(rule);
	const struct nlattr *expressions =
		nlmsg_find_attr((struct nlmsghdr *)rule, sizeof(*gen), NFTA_RULE_EXPRESSIONS);
	struct protocol p;
	struct nlattr *nest;

	if (!expressions)
		return;
	p = protocol_of(expressions, gen->nfgen_family);
	if (!p.needed)
		return;
	nest = nft_nest(b, NFTA_RULE_COMPAT);
	nft_attr_u32(b, NFTA_RULE_COMPAT_PROTO, p.known ? p.value : 0);
	nft_attr_u32(b, NFTA_RULE_COMPAT_FLAGS, p.known && p.inverted ? NFT_RULE_COMPAT_F_INV : 0);
	nft_nest_end(b, nest);
}
