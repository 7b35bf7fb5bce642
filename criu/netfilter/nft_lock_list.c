// SPDX-License-Identifier: GPL-2.0-only
/* What locks there are, and what they hold back: dumps of tables and set elements, read inside their bounds. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "netlink/inet_diag.h"
#include "netfilter/nft_lock.h"
#include "util/str.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#endif

struct bytes {
	const char *p;
	size_t left;
};

/* The next attribute: false at the end, and for what is none. */
static bool next_attr(struct bytes *from, int *ret_type, struct bytes *ret_value)
{
	struct nlattr head;
	size_t whole;

	if (from->left < sizeof(head))
		return false;
	memcpy(&head, from->p, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > from->left)
		return false;
	*ret_type = head.nla_type & NLA_TYPE_MASK;
	*ret_value = (struct bytes){ from->p + sizeof(head), head.nla_len - sizeof(head) };
	whole = MIN_OF(NLA_ALIGN((size_t)head.nla_len), from->left);
	from->p += whole;
	from->left -= whole;
	return true;
}

static bool find_attr(struct bytes in, int wanted, struct bytes *ret_value)
{
	struct bytes value;
	int type;

	while (next_attr(&in, &type, &value)) {
		if (type == wanted) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

typedef int (*message_fn)(struct bytes attrs, void *arg);

/* 1 after the last message. */
static int see_messages(struct bytes in, int wanted, message_fn fn, void *arg)
{
	const size_t fixed = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg);

	while (in.left >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr head;
		size_t whole;
		int err = 0;

		memcpy(&head, in.p, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > in.left)
			return -EBADMSG;
		if (head.nlmsg_type == NLMSG_DONE)
			return 1;
		if (head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= sizeof(head) + sizeof(err)) {
			memcpy(&err, in.p + sizeof(head), sizeof(err));
			return err < 0 ? err : -EBADMSG;
		}
		if (head.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | wanted) && head.nlmsg_len >= fixed)
			err = fn((struct bytes){ in.p + fixed, head.nlmsg_len - fixed }, arg);
		if (err)
			return err;
		whole = MIN_OF(NLMSG_ALIGN((size_t)head.nlmsg_len), in.left);
		in.p += whole;
		in.left -= whole;
	}
	return 0;
}

struct query {
	struct nlmsghdr head;
	struct nfgenmsg gen;
	char attrs[160];
};

static void query_str(struct query *q, int type, const char *s)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + strlen(s) + 1, .nla_type = type };
	char *at = (char *)q + q->head.nlmsg_len;

	memcpy(at, &attr, sizeof(attr));
	memcpy(at + NLA_HDRLEN, s, strlen(s) + 1);
	q->head.nlmsg_len += NLA_ALIGN(attr.nla_len);
}

static struct query query(int type)
{
	return (struct query){
		.head = { .nlmsg_len = offsetof(struct query, attrs),
			  .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | type,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.gen = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 },
	};
}

static int ask(int netlink, const struct query *q, int wanted, message_fn fn, void *arg)
{
	char in[32768] __attribute__((aligned(8)));
	int err = send(netlink, q, q->head.nlmsg_len, 0) < 0 ? -errno : 0;

	while (!err) {
		ssize_t len = recv(netlink, in, sizeof(in), 0);

		err = len < 0 ? -errno : see_messages((struct bytes){ in, len }, wanted, fn, arg);
	}
	return err < 0 ? err : 0;
}

/* ---- tables ---- */

struct table_arg {
	int (*each)(const char *, bool, void *);
	void *arg;
};

static int see_table(struct bytes attrs, void *arg)
{
	const struct table_arg *to = arg;
	struct bytes value;
	char name[64] = "";
	uint32_t flags = 0;

	if (!find_attr(attrs, NFTA_TABLE_NAME, &value) || value.left >= sizeof(name))
		return 0;
	memcpy(name, value.p, value.left);
	if (find_attr(attrs, NFTA_TABLE_FLAGS, &value) && value.left == sizeof(flags))
		memcpy(&flags, value.p, sizeof(flags));
	return str_has_prefix(name, NFT_LOCK_PREFIX) ? to->each(name, ntohl(flags) & NFT_TABLE_F_OWNER, to->arg) : 0;
}

int nft_lock_each(int netlink, int (*each)(const char *table, bool owned, void *arg), void *arg)
{
	struct query q = query(NFT_MSG_GETTABLE);

	return ask(netlink, &q, NFT_MSG_NEWTABLE, see_table, &(struct table_arg){ each, arg });
}

/* ---- connections ---- */

struct element_arg {
	bool v6;
	int (*each)(const struct nft_connection *, void *);
	void *arg;
};

static int see_element(struct bytes element, const struct element_arg *to)
{
	struct nft_connection c = { .v6 = to->v6 };
	size_t address = to->v6 ? 16 : 4;
	struct bytes value;

	if (!find_attr(element, NFTA_SET_ELEM_KEY, &value) || !find_attr(value, NFTA_DATA_VALUE, &value) ||
	    value.left != 2 * (address + 4))
		return 0;
	memcpy(c.from, value.p, address);
	memcpy(&c.from_port, value.p + address, 2);
	memcpy(c.to, value.p + address + 4, address);
	memcpy(&c.to_port, value.p + 2 * address + 4, 2);
	c.from_port = ntohs(c.from_port);
	c.to_port = ntohs(c.to_port);
	return to->each(&c, to->arg);
}

static int see_elements(struct bytes attrs, void *arg)
{
	struct bytes list, element;
	int type, err = 0;

	if (!find_attr(attrs, NFTA_SET_ELEM_LIST_ELEMENTS, &list))
		return 0;
	while (!err && next_attr(&list, &type, &element))
		err = see_element(element, arg);
	return err;
}

int nft_lock_each_connection(int netlink, const char *table, int (*each)(const struct nft_connection *, void *arg),
			     void *arg)
{
	int err = 0;

	for (int v6 = 0; v6 < 2 && !err; v6++) {
		struct query q = query(NFT_MSG_GETSETELEM);

		if (strlen(table) > 63)
			return -ENAMETOOLONG;
		query_str(&q, NFTA_SET_ELEM_LIST_TABLE, table);
		query_str(&q, NFTA_SET_ELEM_LIST_SET, v6 ? "tcp6" : "tcp4");
		err = ask(netlink, &q, NFT_MSG_NEWSETELEM, see_elements, &(struct element_arg){ v6, each, arg });
		/* No connection of that family. */
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
