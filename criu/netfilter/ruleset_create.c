// SPDX-License-Identifier: GPL-2.0-only
/* Creates nf_tables objects from the kernel's own messages, in one transaction. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "netfilter/nft_batch.h"
#include "netfilter/nft_chains.h"
#include "netfilter/nft_rule.h"
#include "netfilter/ruleset.h"
#include "util/array.h"
#include "util/log.h"

/* Missing in older headers. */
#define SET_TYPE 19
#define SET_COUNT 20

static const struct kind {
	int type, name_attr;
	const char *name;
	uint64_t left_out; /* BIT(attribute): reported, but not accepted, or taken for those of existing objects */
} kinds[] = {
	{ NFT_MSG_NEWTABLE, NFTA_TABLE_NAME, "table", BIT(NFTA_TABLE_HANDLE) | BIT(NFTA_TABLE_USE) },
	{ NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, "chain",
	  BIT(NFTA_CHAIN_HANDLE) | BIT(NFTA_CHAIN_USE) | BIT(NFTA_CHAIN_ID) },
	{ NFT_MSG_NEWOBJ, NFTA_OBJ_NAME, "object", BIT(NFTA_OBJ_HANDLE) | BIT(NFTA_OBJ_USE) },
	{ NFT_MSG_NEWFLOWTABLE, NFTA_FLOWTABLE_NAME, "flow table",
	  BIT(NFTA_FLOWTABLE_HANDLE) | BIT(NFTA_FLOWTABLE_USE) },
	{ NFT_MSG_NEWSET, NFTA_SET_NAME, "set",
	  BIT(NFTA_SET_HANDLE) | BIT(NFTA_SET_ID) | BIT(SET_TYPE) | BIT(SET_COUNT) },
	{ NFT_MSG_NEWSETELEM, NFTA_SET_ELEM_LIST_SET, "elements of set", 0 },
	{ NFT_MSG_NEWRULE, NFTA_RULE_CHAIN, "rule of chain",
	  BIT(NFTA_RULE_HANDLE) | BIT(NFTA_RULE_POSITION) | BIT(NFTA_RULE_POSITION_ID) },
};

static const struct kind *kind_of(const struct nlmsghdr *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | kinds[i].type))
			return &kinds[i];
	return NULL;
}

struct creating {
	struct nft_batch batch;
	const struct nlmsghdr *last; /* of all: it is answered if all succeed */
	uint32_t last_set;
};

static void add(struct creating *c, const struct nlmsghdr *message)
{
	const struct kind *kind = kind_of(message);
	const struct nlattr *attr;
	int left;

	nft_message_like(&c->batch, message, NLM_F_CREATE | NLM_F_APPEND | (message == c->last ? NLM_F_ACK : 0));
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)message, sizeof(struct nfgenmsg),
			    left) if (kind->type == NFT_MSG_NEWRULE && nla_type(attr) == NFTA_RULE_EXPRESSIONS)
		nft_add_expressions(&c->batch, attr);
	else if (nla_type(attr) >= 64 || !(kind->left_out & BIT(nla_type(attr))))
		nft_attr(&c->batch, attr->nla_type, nla_data(attr), (size_t)nla_len(attr));
	/* Required, although the names are known. */
	if (kind->type == NFT_MSG_NEWSET)
		nft_attr_u32(&c->batch, NFTA_SET_ID, ++c->last_set);
	if (kind->type == NFT_MSG_NEWRULE)
		nft_add_compat(&c->batch, message);
	nft_message_end(&c->batch);
}

ARRAY_OF(message_array, const struct nlmsghdr *);

/* Attribute 1 names the table in all of them. */
static bool is_whole(const struct nlmsghdr *message)
{
	const struct nlattr *attr;
	int left;

	if (!nlmsg_valid_hdr(message, sizeof(struct nfgenmsg)))
		return false;
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)message, sizeof(struct nfgenmsg), left);
	attr = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
	return left <= 0 && nft_name(attr);
}

static int list(const void *messages, size_t len, struct message_array *ret)
{
	const struct nlmsghdr *message = messages;
	int left = len > INT32_MAX ? -1 : (int)len;

	for (; nlmsg_ok(message, left); message = nlmsg_next((struct nlmsghdr *)message, &left)) {
		if (!is_whole(message) || !kind_of(message))
			return fail(-EBADMSG, "nf_tables: message type %#x at %zu", message->nlmsg_type,
				    (size_t)((const char *)message - (const char *)messages));
		if (array_add(ret, message))
			return fail(-ENOMEM, "nf_tables rules");
	}
	return left ? fail(-EBADMSG, "nf_tables: %d bytes after the last message", left) : 0;
}

static const char *name_in(const struct nlmsghdr *message, int type)
{
	return nft_name(nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), type));
}

/* What the failed message is about; the kernel answers with its number. */
static int explain(const struct nft_batch *batch, const struct message_array *messages, int err)
{
	const struct nlmsghdr *message;
	size_t i = batch->failed - 2; /* the first message of a transaction, number 1, only begins it */
	const struct kind *kind;

	if (batch->failed < 2 || i >= messages->n)
		return fail(err, "create the nf_tables rules");
	message = messages->v[i];
	kind = kind_of(message);
	return fail(err, "create the nf_tables %s %s of table %s", kind->name, name_in(message, kind->name_attr) ?: "?",
		    name_in(message, NFTA_TABLE_NAME));
}

int nft_ruleset_create(struct nl_sock *netlink, const void *messages, size_t len)
{
	struct message_array all = { 0 };
	struct creating c = { .last_set = 0 };
	int err = list(messages, len, &all);

	if (!err && all.n)
		err = nft_order_chains(all.v, all.n);
	if (err || !all.n) {
		array_free(&all);
		return err;
	}
	c.last = all.v[all.n - 1];
	nft_batch_begin(&c.batch);
	for (size_t i = 0; i < all.n; i++)
		add(&c, all.v[i]);
	err = nft_batch_commit(&c.batch, netlink);
	if (err)
		explain(&c.batch, &all, err);
	array_free(&all);
	return err;
}
