// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_listen.h"
#include <arpa/inet.h>
#include <string.h>
#include "base/bits.h"
#include "netfilter/nft_expression.h"
#include "netfilter/nft_object.h"

/* Four sets: with an address, or with any; for both families. The key is the address, if any, and the port. */
struct listen_set {
	struct nft_set set;
	bool v6, any;
};

static const struct listen_set listen_sets[] = { { { "listen4", 3, 8 }, false, false },
						 { { "listen6", 4, 20 }, true, false },
						 { { "port4", 5, 4 }, false, true },
						 { { "port6", 6, 4 }, true, true } };

static bool is_of(const struct nft_listen_address *address, const struct listen_set *set)
{
	return address->v6 == set->v6 && address->any == set->any;
}

static uint32_t address_len(const struct listen_set *set)
{
	return set->any ? 0 : set->v6 ? 16 : 4;
}

static void add_key(struct nft_batch *b, const struct listen_set *set, const struct nft_listen_address *address)
{
	uint8_t key[20] = { 0 };
	uint16_t port = htons(address->port);

	memcpy(key, address->address, address_len(set));
	memcpy(key + address_len(set), &port, sizeof(port));
	nft_add_element(b, key, set->set.key_len);
}

static void add_elements(struct nft_batch *b, const char *table, const struct listen_set *set,
			 const struct nft_listen_address *address, size_t n)
{
	for (size_t i = 0; i < n;) {
		struct nlattr *list = nft_elements(b, table, &set->set);
		size_t count = 0;

		for (; i < n && count < NFT_ELEMENTS_MAX; i++) {
			if (!is_of(&address[i], set))
				continue;
			add_key(b, set, &address[i]);
			count++;
		}
		nft_elements_end(b, list);
	}
}

/* @syn: only the first packet of a connection; otherwise all packets. */
static void add_rule(struct nft_batch *b, const char *table, const struct listen_set *set, bool syn)
{
	static const uint8_t syn_and_ack = 0x12, syn_alone = 0x02;
	uint32_t size = address_len(set);
	struct nlattr *rule = nft_rule(b, table, "input", set->v6);

	if (syn) {
		nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0 });
		nft_mask(b, &syn_and_ack, 1);
		nft_compare(b, NFT_CMP_EQ, &syn_alone, 1);
	}
	if (size)
		nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_NETWORK_HEADER, set->v6 ? 24 : 16, size, 0 });
	nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, size / 4 });
	nft_look_up(b, set->set.name, set->set.id);
	nft_rule_end(b, rule);
}

static bool has_any(const struct listen_set *set, const struct nft_listen_address *address, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_of(&address[i], set))
			return true;
	return false;
}

void nft_add_listening(struct nft_batch *b, const char *table, const struct nft_listen_address *address, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(listen_sets); i++) {
		const struct listen_set *set = &listen_sets[i];

		if (!has_any(set, address, n))
			continue;
		nft_add_set(b, table, &set->set);
		add_elements(b, table, set, address, n);
		add_rule(b, table, set, true);
	}
}

void nft_close_listening(struct nft_batch *b, const char *table, const struct nft_listen_address *address, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(listen_sets); i++)
		if (has_any(&listen_sets[i], address, n))
			add_rule(b, table, &listen_sets[i], false);
}
