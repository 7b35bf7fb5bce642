// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_chains.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "netlink/exchange.h"
#include "util/log.h"
#include "util/str.h"

#define CHAIN_BINDING 4u /* NFT_CHAIN_BINDING */

/* The kernel checks that chains do not loop; messages in an image may. */
#define DEPTH_MAX 64

struct order {
	const struct nlmsghdr **messages, **sorted;
	size_t nr, nr_sorted;
	bool *placed;
};

const char *nft_name(const struct nlattr *attr)
{
	const char *s = attr ? nla_data(attr) : NULL;

	return s && nla_len(attr) > 0 && !s[nla_len(attr) - 1] ? s : NULL;
}

static bool is_type(const struct nlmsghdr *message, int type)
{
	return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

static const struct nlattr *attribute(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), type);
}

static bool is_anonymous(const struct nlmsghdr *chain)
{
	const struct nlattr *flags = attribute(chain, NFTA_CHAIN_FLAGS);

	return is_type(chain, NFT_MSG_NEWCHAIN) && flags && nla_len(flags) == sizeof(uint32_t) &&
	       ntohl(nla_get_u32(flags)) & CHAIN_BINDING;
}

static bool same_name(const struct nlattr *a, const struct nlattr *b)
{
	const char *x = nft_name(a), *y = nft_name(b);

	return x && y && str_eq(x, y);
}

static bool same_table(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct nfgenmsg *x = nlmsg_data(a), *y = nlmsg_data(b);

	return x->nfgen_family == y->nfgen_family &&
	       same_name(attribute(a, NFTA_CHAIN_TABLE), attribute(b, NFTA_CHAIN_TABLE));
}

static bool is_of_anonymous(const struct order *o, const struct nlmsghdr *rule, const struct nlattr *chain)
{
	for (size_t i = 0; i < o->nr && !is_type(o->messages[i], NFT_MSG_NEWRULE); i++)
		if (is_anonymous(o->messages[i]) && same_table(o->messages[i], rule) &&
		    same_name(attribute(o->messages[i], NFTA_CHAIN_NAME), chain))
			return true;
	return false;
}

static int place(struct order *o, size_t i, int depth);

static int place_rules_of(struct order *o, const struct nlmsghdr *rule, const struct nlattr *chain, int depth)
{
	int err = 0;

	for (size_t i = 0; !err && i < o->nr; i++)
		if (is_type(o->messages[i], NFT_MSG_NEWRULE) && same_table(o->messages[i], rule) &&
		    same_name(attribute(o->messages[i], NFTA_RULE_CHAIN), chain))
			err = place(o, i, depth);
	return err;
}

/* Places the rules of the anonymous chains that the rule jumps to. */
static int place_jumps(struct order *o, const struct nlmsghdr *rule, int depth)
{
	const struct nlattr *expressions = attribute(rule, NFTA_RULE_EXPRESSIONS), *expression;
	int left, err = 0;

	if (!expressions)
		return 0;
	nla_for_each_nested(expression, expressions, left)
	{
		const struct nlattr *data =
			netlink_nested(netlink_nested(expression, NFTA_EXPR_DATA), NFTA_IMMEDIATE_DATA);
		const struct nlattr *chain =
			netlink_nested(netlink_nested(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN);
		const char *kind = nft_name(netlink_nested(expression, NFTA_EXPR_NAME));

		if (!err && chain && kind && str_eq(kind, "immediate") && is_of_anonymous(o, rule, chain))
			err = place_rules_of(o, rule, chain, depth + 1);
	}
	return err;
}

static int place(struct order *o, size_t i, int depth)
{
	const struct nlmsghdr *message = o->messages[i];
	int err = 0;

	if (o->placed[i])
		return 0;
	if (depth > DEPTH_MAX)
		return fail(-EBADMSG, "nf_tables: anonymous chains are nested too deeply");
	o->placed[i] = true;
	if (is_type(message, NFT_MSG_NEWRULE))
		err = place_jumps(o, message, depth);
	if (!err)
		o->sorted[o->nr_sorted++] = message;
	return err;
}

int nft_order_chains(const struct nlmsghdr **messages, size_t nr)
{
	_cleanup_free_ const struct nlmsghdr **sorted = NULL;
	_cleanup_free_ bool *placed = NULL;
	struct order o = { .messages = messages, .nr = nr };
	bool any = false;
	int err = 0;

	for (size_t i = 0; !any && i < nr; i++)
		any = is_anonymous(messages[i]);
	if (!any)
		return 0;
	o.sorted = sorted = calloc(nr, sizeof(*sorted));
	o.placed = placed = calloc(nr, sizeof(*placed));
	if (!sorted || !placed)
		return fail(-ENOMEM, "nf_tables rules");
	for (size_t i = 0; !err && i < nr; i++)
		err = place(&o, i, 0);
	if (!err)
		memcpy(messages, sorted, nr * sizeof(*sorted));
	return err;
}
