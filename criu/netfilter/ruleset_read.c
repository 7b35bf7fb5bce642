// SPDX-License-Identifier: GPL-2.0-only
/* Dumps of all nf_tables objects of a network namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "netfilter/nft_request.h"
#include "netfilter/nft_table.h"
#include "netfilter/ruleset.h"
#include "netlink/exchange.h"
#include "util/log.h"

/* Attribute 1 of every message: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_SET_ELEM_LIST_TABLE, ... */
#define ATTR_TABLE NFTA_TABLE_NAME
#define NAME_ROOM NFT_TABLE_MAXNAMELEN
/* Another process may change the rules while they are read. */
#define ATTEMPTS 20

struct reading {
	struct nl_sock *netlink;
	struct buf *to;
};

static const struct nlattr *attribute(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), type);
}

static int keep(struct nlmsghdr *message, void *arg)
{
	const struct reading *r = arg;
	const struct nlattr *table = attribute(message, ATTR_TABLE);

	if (!table)
		return -EBADMSG;
	return str_has_prefix(nla_get_string(table), NFT_LOCK_PREFIX) ? 0 : netlink_append(r->to, message);
}

static int read_all(const struct reading *r, int get, int new)
{
	struct netlink_answer answer = { NFNL_SUBSYS_NFTABLES << 8 | new, keep, (void *)r };
	int err = nft_ask(r->netlink, nft_request(get, NLM_F_DUMP, AF_UNSPEC), &answer);

	/* This kernel has no such objects. */
	return new == NFT_MSG_NEWFLOWTABLE && (err == -EOPNOTSUPP || err == -EINVAL) ? 0 : err;
}

static int read_elements(const struct reading *r, const struct nlmsghdr *set)
{
	struct netlink_answer answer = { NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, keep, (void *)r };
	const struct nfgenmsg *gen = nlmsg_data(set);
	const struct nlattr *table = attribute(set, NFTA_SET_TABLE), *name = attribute(set, NFTA_SET_NAME);
	struct nl_msg *msg = nft_request(NFT_MSG_GETSETELEM, NLM_F_DUMP, gen->nfgen_family);

	if (!msg || !table || !name || nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, nla_get_string(table)) < 0 ||
	    nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, nla_get_string(name)) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return nft_ask(r->netlink, msg, &answer);
}

/* Of the sets at @from to @to in the buffer, which grows. */
static int read_elements_of(const struct reading *r, size_t from, size_t to)
{
	int err = 0;

	while (!err && from < to) {
		_cleanup_buf_ struct buf set = { 0 };
		const struct nlmsghdr *message = (const struct nlmsghdr *)(r->to->data + from);

		from += NLMSG_ALIGN(message->nlmsg_len);
		err = buf_add(&set, message, message->nlmsg_len);
		if (!err)
			err = read_elements(r, (const struct nlmsghdr *)set.data);
	}
	return err;
}

static int keep_name(struct buf *tables, const struct nlattr *attr)
{
	char name[NAME_ROOM];
	int err;

	nla_strlcpy(name, (struct nlattr *)attr, sizeof(name));
	tables->len = 0;
	err = buf_add(tables, name, strlen(name) + 1);
	return err ? err : 1;
}

/*
 * A table that another process's socket owns would come back without its owner. 1: there is one;
 * the buffer has its name.
 */
static int check_owners(struct buf *tables, size_t from)
{
	while (from < tables->len) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(tables->data + from);
		const struct nlattr *flags = attribute(message, NFTA_TABLE_FLAGS);

		from += NLMSG_ALIGN(message->nlmsg_len);
		if (flags && ntohl(nla_get_u32(flags)) & NFT_TABLE_OWNER)
			return keep_name(tables, attribute(message, ATTR_TABLE));
	}
	return 0;
}

static int see_generation(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *id = attribute(message, NFTA_GEN_ID);

	if (!id)
		return -EBADMSG;
	*(uint32_t *)arg = nla_get_u32(id);
	return 1;
}

/* It changes with each transaction. */
static int read_generation(struct nl_sock *netlink, uint32_t *ret)
{
	struct netlink_answer answer = { NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, see_generation, ret };
	int err = nft_ask(netlink, nft_request(NFT_MSG_GETGEN, 0, AF_UNSPEC), &answer);

	return err == 1 ? 0 : err;
}

static int read_once(const struct reading *r)
{
	size_t start = r->to->len, sets;
	int err = read_all(r, NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE);

	/* Without a table nothing else exists. */
	if (err || r->to->len == start)
		return err;
	err = check_owners(r->to, start);
	if (!err)
		err = read_all(r, NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN);
	if (!err)
		err = read_all(r, NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ);
	if (!err)
		err = read_all(r, NFT_MSG_GETFLOWTABLE, NFT_MSG_NEWFLOWTABLE);
	sets = r->to->len;
	if (!err)
		err = read_all(r, NFT_MSG_GETSET, NFT_MSG_NEWSET);
	if (!err)
		err = read_elements_of(r, sets, r->to->len);
	return err ? err : read_all(r, NFT_MSG_GETRULE, NFT_MSG_NEWRULE);
}

int nft_ruleset_read(struct nl_sock *netlink, struct buf *to)
{
	struct reading r = { netlink, to };
	size_t start = to->len;
	uint32_t before, after = 0;
	int err = read_generation(netlink, &before);

	/* The first query: this kernel has no nf_tables. */
	if (err == -EINVAL || err == -EOPNOTSUPP)
		return 0;
	for (int i = 0; !err && i < ATTEMPTS; i++) {
		to->len = start;
		err = read_once(&r);
		if (!err)
			err = read_generation(netlink, &after);
		if (!err && before == after)
			return 0;
		before = after;
	}
	if (err > 0)
		return err;
	return err ? fail(err, "read the nf_tables rules") :
		     fail(-EAGAIN, "the nf_tables rules are changed again and again while they are read");
}
