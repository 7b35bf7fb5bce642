// SPDX-License-Identifier: GPL-2.0-only
/* Listing locks and the connections that they block: dumps of tables and set elements. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "netlink/inet_diag.h"
#include "netfilter/nft_lock.h"
#include "netfilter/nft_request.h"
#include "util/str.h"

#define NAME_LEN 64 /* of a table of ours, with its NUL */

/* ---- tables ---- */

struct table_arg {
	int (*each)(const char *, bool, void *);
	void *arg;
};

static int see_table(struct nlmsghdr *message, void *arg)
{
	static const struct nla_policy policy[NFTA_TABLE_FLAGS + 1] = {
		[NFTA_TABLE_NAME] = { .type = NLA_STRING },
		[NFTA_TABLE_FLAGS] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFTA_TABLE_FLAGS + 1];
	const struct table_arg *to = arg;
	char name[NAME_LEN];
	uint32_t flags;
	int err = netlink_attributes(message, sizeof(struct nfgenmsg), tb, NFTA_TABLE_FLAGS, policy);

	if (err || !tb[NFTA_TABLE_NAME] || nla_len(tb[NFTA_TABLE_NAME]) > NAME_LEN)
		return err;
	nla_strlcpy(name, tb[NFTA_TABLE_NAME], sizeof(name));
	flags = tb[NFTA_TABLE_FLAGS] ? ntohl(nla_get_u32(tb[NFTA_TABLE_FLAGS])) : 0;
	return str_has_prefix(name, NFT_LOCK_PREFIX) ? to->each(name, flags & NFT_TABLE_OWNER, to->arg) : 0;
}

int nft_lock_each(struct nl_sock *netlink, int (*each)(const char *table, bool owned, void *arg), void *arg)
{
	struct table_arg to = { each, arg };
	struct netlink_answer answer = { NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, see_table, &to };

	return nft_ask(netlink, nft_request(NFT_MSG_GETTABLE, NLM_F_DUMP, NFPROTO_INET), &answer);
}

/* ---- connections ---- */

struct element_arg {
	bool v6;
	int (*each)(const struct nft_connection *, void *);
	void *arg;
};

static int see_element(const struct nlattr *element, const struct element_arg *to)
{
	struct nft_connection c = { .v6 = to->v6 };
	const struct nlattr *value = netlink_nested(netlink_nested(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	size_t address = to->v6 ? 16 : 4;
	const char *key;

	if (!value || (size_t)nla_len(value) != 2 * (address + 4))
		return 0;
	key = nla_data(value);
	memcpy(c.from, key, address);
	memcpy(&c.from_port, key + address, 2);
	memcpy(c.to, key + address + 4, address);
	memcpy(&c.to_port, key + 2 * address + 4, 2);
	c.from_port = ntohs(c.from_port);
	c.to_port = ntohs(c.to_port);
	return to->each(&c, to->arg);
}

static int see_elements(struct nlmsghdr *message, void *arg)
{
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *element;
	int left, err = netlink_attributes(message, sizeof(struct nfgenmsg), tb, NFTA_SET_ELEM_LIST_MAX, NULL);

	if (err || !tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return err;
	nla_for_each_nested(element, tb[NFTA_SET_ELEM_LIST_ELEMENTS], left)
	{
		if (!err)
			err = see_element(element, arg);
	}
	return err;
}

static struct nl_msg *elements_query(const char *table, bool v6)
{
	struct nl_msg *query = nft_request(NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET);

	if (query && (nla_put_string(query, NFTA_SET_ELEM_LIST_TABLE, table) < 0 ||
		      nla_put_string(query, NFTA_SET_ELEM_LIST_SET, nft_connection_set(v6)) < 0)) {
		nlmsg_free(query);
		query = NULL;
	}
	return query;
}

int nft_lock_each_connection(struct nl_sock *netlink, const char *table,
			     int (*each)(const struct nft_connection *, void *arg), void *arg)
{
	int err = 0;

	if (strlen(table) >= NAME_LEN)
		return -ENAMETOOLONG;
	for (int v6 = 0; v6 < 2 && !err; v6++) {
		struct element_arg to = { v6, each, arg };
		struct netlink_answer answer = { NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, see_elements, &to };

		err = nft_ask(netlink, elements_query(table, v6), &answer);
		/* No connections of that family. */
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

int nft_connection_lives(const struct nft_connection *c)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;
	uint32_t states = ~(uint32_t)(BIT(TCP_LISTEN) | BIT(TCP_TIME_WAIT) | BIT(TCP_CLOSE));
	int err = inet_diag_read(AF_INET6, IPPROTO_TCP, states, c->from_port, &all);

	if (!err && !c->v6)
		err = inet_diag_read(AF_INET, IPPROTO_TCP, states, c->from_port, &all);
	array_for_each(sk, &all) {
		bool is_mapped = sk->family == AF_INET6 && !memcmp(sk->dst, mapped, sizeof(mapped));

		if (err || sk->dst_port != c->to_port || !sk->ino)
			continue;
		if (c->v6 ? !memcmp(sk->dst, c->to, 16) && !memcmp(sk->src, c->from, 16) :
			    (is_mapped || sk->family == AF_INET) && sk->dst[is_mapped ? 3 : 0] == c->to[0] &&
				    sk->src[is_mapped ? 3 : 0] == c->from[0])
			err = 1;
	}
	array_free(&all);
	return err;
}
