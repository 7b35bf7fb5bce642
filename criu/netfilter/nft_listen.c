// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_listen.h"
#include <arpa/inet.h>
#include <string.h>
#include "base/bits.h"
#include "netfilter/nft_expression.h"
#include "netfilter/nft_object.h"

/* Four sets: with an address, or with any; of both families. The key: address, if any, and port. */
struct doors {
	struct nft_set set;
	bool v6, any;
};

static const struct doors all_doors[] = { { { "door4", 3, 8 }, false, false },
					  { { "door6", 4, 20 }, true, false },
					  { { "port4", 5, 4 }, false, true },
					  { { "port6", 6, 4 }, true, true } };

static bool is_of(const struct nft_listen_address *door, const struct doors *doors)
{
	return door->v6 == doors->v6 && door->any == doors->any;
}

static uint32_t address_len(const struct doors *doors)
{
	return doors->any ? 0 : doors->v6 ? 16 : 4;
}

static void add_key(struct nft_batch *b, const struct doors *doors, const struct nft_listen_address *door)
{
	uint8_t key[20] = { 0 };
	uint16_t port = htons(door->port);

	memcpy(key, door->address, address_len(doors));
	memcpy(key + address_len(doors), &port, sizeof(port));
	nft_add_element(b, key, doors->set.key_len);
}

static void add_elements(struct nft_batch *b, const char *table, const struct doors *doors,
			 const struct nft_listen_address *door, size_t n)
{
	for (size_t i = 0; i < n;) {
		struct nlattr *list = nft_elements(b, table, &doors->set);
		size_t count = 0;

		for (; i < n && count < NFT_ELEMENTS_MAX; i++) {
			if (!is_of(&door[i], doors))
				continue;
			add_key(b, doors, &door[i]);
			count++;
		}
		nft_elements_end(b, list);
	}
}

/* @syn: only what begins a connection; otherwise all that comes. */
static void add_rule(struct nft_batch *b, const char *table, const struct doors *doors, bool syn)
{
	static const uint8_t syn_and_ack = 0x12, syn_alone = 0x02;
	uint32_t size = address_len(doors);
	struct nlattr *rule = nft_rule(b, table, "input", doors->v6);

	if (syn) {
		nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0 });
		nft_mask(b, &syn_and_ack, 1);
		nft_compare(b, NFT_CMP_EQ, &syn_alone, 1);
	}
	if (size)
		nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_NETWORK_HEADER, doors->v6 ? 24 : 16, size, 0 });
	nft_load_payload(b, &(struct nft_payload){ NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, size / 4 });
	nft_look_up(b, doors->set.name, doors->set.id);
	nft_rule_end(b, rule);
}

static bool has_any(const struct doors *doors, const struct nft_listen_address *door, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_of(&door[i], doors))
			return true;
	return false;
}

void nft_add_doors(struct nft_batch *b, const char *table, const struct nft_listen_address *door, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_doors); i++) {
		const struct doors *doors = &all_doors[i];

		if (!has_any(doors, door, n))
			continue;
		nft_add_set(b, table, &doors->set);
		add_elements(b, table, doors, door, n);
		add_rule(b, table, doors, true);
	}
}

void nft_shut_doors(struct nft_batch *b, const char *table, const struct nft_listen_address *door, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_doors); i++)
		if (has_any(&all_doors[i], door, n))
			add_rule(b, table, &all_doors[i], false);
}
