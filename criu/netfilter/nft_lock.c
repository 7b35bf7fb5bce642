// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_lock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "netfilter/nft_batch.h"
#include "netfilter/nft_expression.h"
#include "netfilter/nft_listen.h"
#include "netfilter/nft_object.h"

/* Source address and port, destination address and port: each in registers of four bytes. */
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

static struct nft_set set_of(bool v6)
{
	return (struct nft_set){ nft_connection_set(v6), 1 + v6, v6 ? sizeof(struct key6) : sizeof(struct key4) };
}

static void add_rule(struct nft_batch *b, const char *table, const char *chain, bool v6)
{
	uint32_t size = v6 ? 16 : 4, words = size / 4;
	const struct nft_payload key[] = { { NFT_PAYLOAD_NETWORK_HEADER, v6 ? 8 : 12, size, 0 },
					   { NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, words },
					   { NFT_PAYLOAD_NETWORK_HEADER, v6 ? 24 : 16, size, words + 1 },
					   { NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2 * words + 1 } };
	struct nft_set set = set_of(v6);
	struct nlattr *rule = nft_rule(b, table, chain, v6);

	for (size_t i = 0; i < ARRAY_SIZE(key); i++)
		nft_load_payload(b, &key[i]);
	nft_look_up(b, set.name, set.id);
	nft_rule_end(b, rule);
}

static void add_element(struct nft_batch *b, const struct nft_connection *c, bool back)
{
	const uint32_t *from = back ? c->to : c->from, *to = back ? c->from : c->to;
	uint16_t from_port = htons(back ? c->to_port : c->from_port), to_port = htons(back ? c->from_port : c->to_port);
	struct key4 four = { .from = from[0], .from_port = from_port, .to = to[0], .to_port = to_port };
	struct key6 six = { .from_port = from_port, .to_port = to_port };

	memcpy(six.from, from, sizeof(six.from));
	memcpy(six.to, to, sizeof(six.to));
	nft_add_element(b, c->v6 ? (const void *)&six : &four, c->v6 ? sizeof(six) : sizeof(four));
}

/* The connections of one family; the set has both directions, so that the rules are the same for input and output. */
static void add_elements(struct nft_batch *b, const char *table, bool v6, const struct nft_lock *lock)
{
	const struct nft_connection *c = lock->connections;
	size_t n = lock->nr_connections;
	struct nft_set set = set_of(v6);

	for (size_t i = 0; i < n;) {
		struct nlattr *list;
		size_t count = 0;

		for (; i < n && c[i].v6 != v6; i++)
			;
		if (i == n)
			return;
		list = nft_elements(b, table, &set);
		for (; i < n && count < NFT_ELEMENTS_MAX / 2; i++) {
			if (c[i].v6 != v6)
				continue;
			add_element(b, &c[i], false);
			add_element(b, &c[i], true);
			count++;
		}
		nft_elements_end(b, list);
	}
}

static void add_connections(struct nft_batch *b, const char *table, bool v6, const struct nft_lock *lock)
{
	struct nft_set set = set_of(v6);
	size_t i = 0;

	while (i < lock->nr_connections && lock->connections[i].v6 != v6)
		i++;
	if (i == lock->nr_connections)
		return;
	nft_add_set(b, table, &set);
	add_elements(b, table, v6, lock);
	add_rule(b, table, "input", v6);
	add_rule(b, table, "output", v6);
}

int nft_open(struct nl_sock **ret)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;
	int err = netlink_open(NETLINK_NETFILTER, &netlink);

	if (!err)
		err = netlink_prepare_transactions(netlink);
	if (err)
		return err;
	*ret = netlink;
	netlink = NULL;
	return 0;
}

int nft_lock_make(struct nl_sock *netlink, const char *table, bool owned, const struct nft_lock *lock)
{
	struct nft_batch b;

	nft_batch_begin(&b);
	nft_add_table(&b, table, owned, NLM_F_EXCL | NLM_F_ACK);
	nft_add_chain(&b, table, "input", NF_INET_LOCAL_IN);
	nft_add_chain(&b, table, "output", NF_INET_LOCAL_OUT);
	add_connections(&b, table, false, lock);
	add_connections(&b, table, true, lock);
	nft_add_listening(&b, table, lock->listening, lock->nr_listening);
	return nft_batch_commit(&b, netlink);
}

int nft_lock_close_listening(struct nl_sock *netlink, const char *table, const struct nft_lock *lock)
{
	struct nft_batch b;

	nft_batch_begin(&b);
	nft_add_table(&b, table, true, NLM_F_ACK);
	nft_close_listening(&b, table, lock->listening, lock->nr_listening);
	return nft_batch_commit(&b, netlink);
}

int nft_lock_remove(struct nl_sock *netlink, const char *table)
{
	struct nft_batch b;

	nft_batch_begin(&b);
	nft_message(&b, NFT_MSG_DELTABLE, NLM_F_ACK);
	nft_attr_str(&b, NFTA_TABLE_NAME, table);
	nft_message_end(&b);
	return nft_batch_commit(&b, netlink);
}
