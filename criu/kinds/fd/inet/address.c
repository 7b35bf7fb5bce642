// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, as the kernel expects them, as images store them (words in network byte order) and as text. */
#include "kinds/fd/inet/address.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

socklen_t inet_address_len(const union inet_address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

uint16_t inet_address_port(const union inet_address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

bool inet_address_is_mapped(const union inet_address *a)
{
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

uint32_t inet_address_v4(const union inet_address *a)
{
	uint32_t word;

	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr;
	memcpy(&word, &a->v6.sin6_addr.s6_addr[12], sizeof(word));
	return word;
}

bool inet_address_is_any(const union inet_address *a)
{
	return a->any.sa_family == AF_INET ? !a->v4.sin_addr.s_addr : IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

bool inet_address_is_loopback(const union inet_address *a)
{
	if (a->any.sa_family == AF_INET6 && !inet_address_is_mapped(a))
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return ntohl(inet_address_v4(a)) == INADDR_LOOPBACK;
}

bool inet_address_same(const union inet_address *a, const union inet_address *b)
{
	bool a4 = a->any.sa_family == AF_INET || inet_address_is_mapped(a);
	bool b4 = b->any.sa_family == AF_INET || inet_address_is_mapped(b);

	if (a4 != b4 || inet_address_port(a) != inet_address_port(b))
		return false;
	return a4 ? inet_address_v4(a) == inet_address_v4(b) :
		    !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr));
}

const char *inet_address_text(const union inet_address *a, char text[static INET_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?", device[IF_NAMESIZE + 1] = "";

	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host));
		snprintf(text, INET_TEXT_MAX, "%s:%u", host, inet_address_port(a));
		return text;
	}
	inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
	if (a->v6.sin6_scope_id && if_indextoname(a->v6.sin6_scope_id, device + 1))
		device[0] = '%';
	snprintf(text, INET_TEXT_MAX, "[%s%s]:%u", host, device, inet_address_port(a));
	return text;
}

static void from_entry(const InetSkEntry *entry, const uint32_t *words, size_t n, uint32_t port,
		       union inet_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (entry->family == AF_INET) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		ret->v4.sin_addr.s_addr = n ? words[0] : 0;
		return;
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	if (n == 4)
		memcpy(&ret->v6.sin6_addr, words, 16);
	if (entry->ifname &&
	    (IN6_IS_ADDR_LINKLOCAL(&ret->v6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&ret->v6.sin6_addr)))
		ret->v6.sin6_scope_id = if_nametoindex(entry->ifname);
}

void inet_entry_source(const InetSkEntry *entry, union inet_address *ret)
{
	from_entry(entry, entry->src_addr, entry->n_src_addr, entry->src_port, ret);
}

void inet_entry_target(const InetSkEntry *entry, union inet_address *ret)
{
	from_entry(entry, entry->dst_addr, entry->n_dst_addr, entry->dst_port, ret);
}

static int to_words(struct dump *dump, const union inet_address *a, uint32_t **ret_words, size_t *ret_n)
{
	bool v4 = a->any.sa_family == AF_INET;
	const void *bytes = v4 ? (const void *)&a->v4.sin_addr : (const void *)&a->v6.sin6_addr;
	size_t size = v4 ? 4 : 16;
	uint32_t *words = dump_alloc(dump, size);

	if (!words)
		return -ENOMEM;
	memcpy(words, bytes, size);
	*ret_words = words;
	*ret_n = size / 4;
	return 0;
}

int inet_entry_set(struct dump *dump, InetSkEntry *entry, const union inet_address *src, const union inet_address *dst)
{
	int err = to_words(dump, src, &entry->src_addr, &entry->n_src_addr);
	uint32_t scope = src->any.sa_family == AF_INET6 ? src->v6.sin6_scope_id : 0;
	char device[IF_NAMESIZE];

	if (!err)
		err = to_words(dump, dst, &entry->dst_addr, &entry->n_dst_addr);
	if (err)
		return err;
	if (!scope && dst->any.sa_family == AF_INET6)
		scope = dst->v6.sin6_scope_id;
	if (scope && if_indextoname(scope, device)) {
		entry->ifname = dump_strdup(dump, device);
		if (!entry->ifname)
			return -ENOMEM;
	}
	entry->src_port = inet_address_port(src);
	entry->dst_port = inet_address_port(dst);
	return 0;
}
