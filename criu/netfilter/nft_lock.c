// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_lock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/str.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#endif
#define ELEMENTS_AT_A_TIME 500u /* an attribute has at most 64K */

/* Messages of one transaction. The first error stays: what is built after it is never sent. */
struct batch {
	struct buf bytes;
	size_t message; /* where the one that is built begins */
	uint32_t seq;
	int err;
};

static void put(struct batch *b, const void *data, size_t len)
{
	static const char zeros[NLMSG_ALIGNTO];
	size_t pad = NLMSG_ALIGN(len) - len;

	if (!b->err)
		b->err = buf_add(&b->bytes, data, len);
	if (!b->err && pad)
		b->err = buf_add(&b->bytes, zeros, pad);
}

static void attr(struct batch *b, int type, const void *data, size_t len)
{
	struct nlattr head = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	put(b, &head, sizeof(head));
	put(b, data, len);
}

static void attr_u32(struct batch *b, int type, uint32_t value)
{
	value = htonl(value);
	attr(b, type, &value, sizeof(value));
}

static void attr_str(struct batch *b, int type, const char *s)
{
	attr(b, type, s, strlen(s) + 1);
}

/* What is put until nest_end() lies in it. */
static size_t nest(struct batch *b, int type)
{
	struct nlattr head = { .nla_len = NLA_HDRLEN, .nla_type = type | NLA_F_NESTED };
	size_t at = b->bytes.len;

	put(b, &head, sizeof(head));
	return at;
}

static void nest_end(struct batch *b, size_t at)
{
	struct nlattr head;

	if (b->err)
		return;
	memcpy(&head, b->bytes.data + at, sizeof(head));
	head.nla_len = b->bytes.len - at;
	memcpy(b->bytes.data + at, &head, sizeof(head));
}

static void message(struct batch *b, int type, int flags, int family, uint16_t res_id)
{
	struct nlmsghdr head = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = b->seq++ };
	struct nfgenmsg gen = { .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res_id) };

	b->message = b->bytes.len;
	put(b, &head, sizeof(head));
	put(b, &gen, sizeof(gen));
}

static void message_end(struct batch *b)
{
	struct nlmsghdr head;

	if (b->err)
		return;
	memcpy(&head, b->bytes.data + b->message, sizeof(head));
	head.nlmsg_len = b->bytes.len - b->message;
	memcpy(b->bytes.data + b->message, &head, sizeof(head));
}

static void nft_message(struct batch *b, int type, int flags)
{
	message(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
}

static void batch_mark(struct batch *b, int type)
{
	message(b, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message_end(b);
}

/* ---- expressions ---- */

struct expression {
	size_t element, data;
};

static struct expression expression(struct batch *b, const char *name)
{
	struct expression e = { .element = nest(b, NFTA_LIST_ELEM) };

	attr_str(b, NFTA_EXPR_NAME, name);
	e.data = nest(b, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct batch *b, struct expression e)
{
	nest_end(b, e.data);
	nest_end(b, e.element);
}

static void load_meta(struct batch *b, uint32_t key)
{
	struct expression e = expression(b, "meta");

	attr_u32(b, NFTA_META_KEY, key);
	attr_u32(b, NFTA_META_DREG, NFT_REG32_00);
	expression_end(b, e);
}

static void compare(struct batch *b, uint32_t how, const void *data, size_t len)
{
	struct expression e = expression(b, "cmp");
	size_t value;

	attr_u32(b, NFTA_CMP_SREG, NFT_REG32_00);
	attr_u32(b, NFTA_CMP_OP, how);
	value = nest(b, NFTA_CMP_DATA);
	attr(b, NFTA_DATA_VALUE, data, len);
	nest_end(b, value);
	expression_end(b, e);
}

static void load_payload(struct batch *b, uint32_t base, uint32_t offset, uint32_t len, uint32_t to)
{
	struct expression e = expression(b, "payload");

	attr_u32(b, NFTA_PAYLOAD_DREG, to);
	attr_u32(b, NFTA_PAYLOAD_BASE, base);
	attr_u32(b, NFTA_PAYLOAD_OFFSET, offset);
	attr_u32(b, NFTA_PAYLOAD_LEN, len);
	expression_end(b, e);
}

static void look_up(struct batch *b, const char *set, uint32_t id)
{
	struct expression e = expression(b, "lookup");

	attr_str(b, NFTA_LOOKUP_SET, set);
	attr_u32(b, NFTA_LOOKUP_SREG, NFT_REG32_00);
	attr_u32(b, NFTA_LOOKUP_SET_ID, id);
	expression_end(b, e);
}

static void mask(struct batch *b, uint32_t len, const void *bits)
{
	static const uint8_t none[16];
	struct expression e = expression(b, "bitwise");
	size_t value;

	attr_u32(b, NFTA_BITWISE_SREG, NFT_REG32_00);
	attr_u32(b, NFTA_BITWISE_DREG, NFT_REG32_00);
	attr_u32(b, NFTA_BITWISE_LEN, len);
	value = nest(b, NFTA_BITWISE_MASK);
	attr(b, NFTA_DATA_VALUE, bits, len);
	nest_end(b, value);
	value = nest(b, NFTA_BITWISE_XOR);
	attr(b, NFTA_DATA_VALUE, none, len);
	nest_end(b, value);
	expression_end(b, e);
}

static void drop(struct batch *b)
{
	struct expression e = expression(b, "immediate");
	size_t data, verdict;

	attr_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nest(b, NFTA_DATA_VERDICT);
	attr_u32(b, NFTA_VERDICT_CODE, NF_DROP);
	nest_end(b, verdict);
	nest_end(b, data);
	expression_end(b, e);
}

/* ---- the table ---- */

/* Source address, source port, destination address, destination port: each in registers of four bytes. */
struct key4 {
	uint32_t from;
	uint16_t from_port, pad;
	uint32_t to;
	uint16_t to_port, pad2;
};

struct key6 {
	uint32_t from[4];
	uint16_t from_port, pad;
	uint32_t to[4];
	uint16_t to_port, pad2;
};

static const char *set_name(bool v6)
{
	return v6 ? "tcp6" : "tcp4";
}

static void add_set_of(struct batch *b, const char *table, const char *name, uint32_t id, uint32_t key_len)
{
	nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	attr_str(b, NFTA_SET_TABLE, table);
	attr_str(b, NFTA_SET_NAME, name);
	attr_u32(b, NFTA_SET_FLAGS, 0);
	attr_u32(b, NFTA_SET_KEY_TYPE, 0);
	attr_u32(b, NFTA_SET_KEY_LEN, key_len);
	attr_u32(b, NFTA_SET_ID, id);
	message_end(b);
}

static void add_set(struct batch *b, const char *table, bool v6)
{
	add_set_of(b, table, set_name(v6), 1 + v6, v6 ? sizeof(struct key6) : sizeof(struct key4));
}

static void add_chain(struct batch *b, const char *table, const char *chain, uint32_t hook)
{
	size_t at;

	nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	attr_str(b, NFTA_CHAIN_TABLE, table);
	attr_str(b, NFTA_CHAIN_NAME, chain);
	at = nest(b, NFTA_CHAIN_HOOK);
	attr_u32(b, NFTA_HOOK_HOOKNUM, hook);
	attr_u32(b, NFTA_HOOK_PRIORITY, (uint32_t)-450); /* before connection tracking */
	nest_end(b, at);
	attr_u32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	attr_str(b, NFTA_CHAIN_TYPE, "filter");
	message_end(b);
}

/* Of TCP, and not our own; what more it has follows, until rule_end(). */
static size_t rule(struct batch *b, const char *table, const char *chain, bool v6)
{
	uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, protocol = IPPROTO_TCP;
	uint32_t mark = NFT_LOCK_MARK;
	size_t at;

	nft_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	attr_str(b, NFTA_RULE_TABLE, table);
	attr_str(b, NFTA_RULE_CHAIN, chain);
	at = nest(b, NFTA_RULE_EXPRESSIONS);
	load_meta(b, NFT_META_NFPROTO);
	compare(b, NFT_CMP_EQ, &family, sizeof(family));
	load_meta(b, NFT_META_L4PROTO);
	compare(b, NFT_CMP_EQ, &protocol, sizeof(protocol));
	load_meta(b, NFT_META_MARK);
	compare(b, NFT_CMP_NEQ, &mark, sizeof(mark));
	return at;
}

static void rule_end(struct batch *b, size_t at)
{
	drop(b);
	nest_end(b, at);
	message_end(b);
}

static void add_rule(struct batch *b, const char *table, const char *chain, bool v6)
{
	uint32_t size = v6 ? 16 : 4, words = size / 4;
	size_t at = rule(b, table, chain, v6);

	load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, v6 ? 8 : 12, size, NFT_REG32_00);
	load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_REG32_00 + words);
	load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, v6 ? 24 : 16, size, NFT_REG32_00 + words + 1);
	load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_00 + 2 * words + 1);
	look_up(b, set_name(v6), 1 + v6);
	rule_end(b, at);
}

static void add_element(struct batch *b, const struct nft_connection *c, bool back)
{
	const uint32_t *from = back ? c->to : c->from, *to = back ? c->from : c->to;
	uint16_t from_port = htons(back ? c->to_port : c->from_port), to_port = htons(back ? c->from_port : c->to_port);
	struct key4 four = { .from = from[0], .from_port = from_port, .to = to[0], .to_port = to_port };
	struct key6 six = { .from_port = from_port, .to_port = to_port };
	size_t element = nest(b, NFTA_LIST_ELEM), key = nest(b, NFTA_SET_ELEM_KEY);

	memcpy(six.from, from, sizeof(six.from));
	memcpy(six.to, to, sizeof(six.to));
	attr(b, NFTA_DATA_VALUE, c->v6 ? (const void *)&six : &four, c->v6 ? sizeof(six) : sizeof(four));
	nest_end(b, key);
	nest_end(b, element);
}

/* Those of one family; both directions lie in the set, so that the rules are the same for what comes and what goes. */
static void add_elements(struct batch *b, const char *table, bool v6, const struct nft_connection *c, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t at, count = 0;

		for (; i < n && c[i].v6 != v6; i++)
			;
		if (i == n)
			return;
		nft_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		attr_str(b, NFTA_SET_ELEM_LIST_TABLE, table);
		attr_str(b, NFTA_SET_ELEM_LIST_SET, set_name(v6));
		attr_u32(b, NFTA_SET_ELEM_LIST_SET_ID, 1 + v6);
		at = nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < n && count < ELEMENTS_AT_A_TIME / 2; i++) {
			if (c[i].v6 != v6)
				continue;
			add_element(b, &c[i], false);
			add_element(b, &c[i], true);
			count++;
		}
		nest_end(b, at);
		message_end(b);
	}
}

/* ---- who listens ---- */

/* Four sets: with an address, or with any; of both families. */
struct doors {
	const char *name;
	uint32_t id;
	bool v6, any;
};

static const struct doors all_doors[] = { { "door4", 3, false, false },
					  { "door6", 4, true, false },
					  { "port4", 5, false, true },
					  { "port6", 6, true, true } };

static size_t door_key(const struct nft_door *door, uint8_t key[20])
{
	uint16_t port = htons(door->port);
	size_t at = door->any ? 0 : door->v6 ? 16 : 4;

	memset(key, 0, 20);
	memcpy(key, door->address, at);
	memcpy(key + at, &port, sizeof(port));
	return at + 4;
}

static void add_door_elements(struct batch *b, const char *table, const struct doors *doors,
			      const struct nft_door *door, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t list, count = 0;

		nft_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		attr_str(b, NFTA_SET_ELEM_LIST_TABLE, table);
		attr_str(b, NFTA_SET_ELEM_LIST_SET, doors->name);
		attr_u32(b, NFTA_SET_ELEM_LIST_SET_ID, doors->id);
		list = nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < n && count < ELEMENTS_AT_A_TIME; i++) {
			uint8_t bytes[20];
			size_t element, key, len = door_key(&door[i], bytes);

			if (door[i].v6 != doors->v6 || door[i].any != doors->any)
				continue;
			element = nest(b, NFTA_LIST_ELEM);
			key = nest(b, NFTA_SET_ELEM_KEY);
			attr(b, NFTA_DATA_VALUE, bytes, len);
			nest_end(b, key);
			nest_end(b, element);
			count++;
		}
		nest_end(b, list);
		message_end(b);
	}
}

/* @syn: only what begins a connection; otherwise all that comes. */
static void add_door_rule(struct batch *b, const char *table, const struct doors *doors, bool syn)
{
	static const uint8_t syn_and_ack = 0x12, syn_alone = 0x02;
	uint32_t size = doors->any ? 0 : doors->v6 ? 16 : 4;
	size_t at = rule(b, table, "input", doors->v6);

	if (syn) {
		load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, NFT_REG32_00);
		mask(b, 1, &syn_and_ack);
		compare(b, NFT_CMP_EQ, &syn_alone, 1);
	}
	if (size)
		load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, doors->v6 ? 24 : 16, size, NFT_REG32_00);
	load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_00 + size / 4);
	look_up(b, doors->name, doors->id);
	rule_end(b, at);
}

static bool has_door(const struct doors *doors, const struct nft_door *door, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (door[i].v6 == doors->v6 && door[i].any == doors->any)
			return true;
	return false;
}

static void add_doors(struct batch *b, const char *table, const struct nft_door *door, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_doors); i++) {
		const struct doors *doors = &all_doors[i];

		if (!has_door(doors, door, n))
			continue;
		add_set_of(b, table, doors->name, doors->id, (doors->any ? 0 : doors->v6 ? 16 : 4) + 4);
		add_door_elements(b, table, doors, door, n);
		add_door_rule(b, table, doors, true);
	}
}

static int send_batch(int netlink, struct batch *b)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int size = b->bytes.len + (1 << 16);

	if (b->err)
		return b->err;
	if (setsockopt(netlink, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(netlink, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (sendto(netlink, b->bytes.data, b->bytes.len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* Answers are there when send(2) is back. A transaction that the kernel took has one good answer: to its first part. */
static int read_answers(int netlink)
{
	char in[8192] __attribute__((aligned(8)));
	bool acked = false;

	for (;;) {
		ssize_t len = recv(netlink, in, sizeof(in), MSG_DONTWAIT);
		const char *at = in;

		if (len < 0)
			return errno == EAGAIN ? acked ? 0 : -EPROTO : -errno;
		while (len >= (ssize_t)(sizeof(struct nlmsghdr) + sizeof(int))) {
			struct nlmsghdr head;
			int err;

			memcpy(&head, at, sizeof(head));
			if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len)
				return -EBADMSG;
			memcpy(&err, at + sizeof(head), sizeof(err));
			if (head.nlmsg_type == NLMSG_ERROR && err)
				return err < 0 ? err : -EBADMSG;
			acked |= head.nlmsg_type == NLMSG_ERROR;
			at += MIN_OF(NLMSG_ALIGN(head.nlmsg_len), (size_t)len);
			len -= MIN_OF(NLMSG_ALIGN(head.nlmsg_len), (size_t)len);
		}
	}
}

int nft_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int size = 1 << 20;

	if (fd < 0)
		return -errno;
	/* Every part of a transaction that fails has an answer. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

int nft_lock_make(int netlink, const char *table, bool owned, const struct nft_lock *lock)
{
	const struct nft_connection *connections = lock->connections;
	size_t n = lock->nr_connections;
	struct batch b = { .seq = 1 };
	bool has[2] = { false, false };
	int err;

	for (size_t i = 0; i < n; i++)
		has[connections[i].v6] = true;
	batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	nft_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	attr_str(&b, NFTA_TABLE_NAME, table);
	attr_u32(&b, NFTA_TABLE_FLAGS, owned ? NFT_TABLE_F_OWNER : 0);
	message_end(&b);
	add_chain(&b, table, "input", NF_INET_LOCAL_IN);
	add_chain(&b, table, "output", NF_INET_LOCAL_OUT);
	for (int v6 = 0; v6 < 2; v6++) {
		if (!has[v6])
			continue;
		add_set(&b, table, v6);
		add_elements(&b, table, v6, connections, n);
		add_rule(&b, table, "input", v6);
		add_rule(&b, table, "output", v6);
	}
	add_doors(&b, table, lock->doors, lock->nr_doors);
	batch_mark(&b, NFNL_MSG_BATCH_END);
	err = send_batch(netlink, &b);
	if (!err)
		err = read_answers(netlink);
	buf_free(&b.bytes);
	return err;
}

int nft_lock_shut(int netlink, const char *table, const struct nft_lock *lock)
{
	struct batch b = { .seq = 1 };
	int err;

	batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	/* Of what succeeds only this one is answered. */
	nft_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK);
	attr_str(&b, NFTA_TABLE_NAME, table);
	attr_u32(&b, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	message_end(&b);
	for (size_t i = 0; i < ARRAY_SIZE(all_doors); i++)
		if (has_door(&all_doors[i], lock->doors, lock->nr_doors))
			add_door_rule(&b, table, &all_doors[i], false);
	batch_mark(&b, NFNL_MSG_BATCH_END);
	err = send_batch(netlink, &b);
	if (!err)
		err = read_answers(netlink);
	buf_free(&b.bytes);
	return err;
}

int nft_lock_remove(int netlink, const char *table)
{
	struct batch b = { .seq = 1 };
	int err;

	batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	nft_message(&b, NFT_MSG_DELTABLE, NLM_F_ACK);
	attr_str(&b, NFTA_TABLE_NAME, table);
	message_end(&b);
	batch_mark(&b, NFNL_MSG_BATCH_END);
	err = send_batch(netlink, &b);
	if (!err)
		err = read_answers(netlink);
	buf_free(&b.bytes);
	return err;
}
