// SPDX-License-Identifier: GPL-2.0-only
/*
 * --tcp-address OLD=NEW: listening and bound TCP sockets get the new address, and so do both ends of connections within the
 * tree. A peer elsewhere knows the old address only, and would answer what comes from another with a reset: such a
 * connection is refused.
 */
#include "kinds/fd/inet/move_address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "util/hash.h"

/* An address without its port, as in an IPv6 socket: one of IPv4 is mapped. */
struct move {
	struct in6_addr old, new;
};

struct moves {
	struct move *v;
	size_t n;
	struct hash ends; /* of connections: their two ends -> struct inet_socket */
	struct hash
		waiting; /* ids of clients that have not been accepted: of those, only the listening socket is inside */
};

static int parse(const char *text, struct in6_addr *ret)
{
	if (strchr(text, ':'))
		return inet_pton(AF_INET6, text, ret) == 1 ? 0 : -EINVAL;
	memset(ret, 0, sizeof(*ret));
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	return inet_pton(AF_INET, text, &ret->s6_addr[12]) == 1 ? 0 : -EINVAL;
}

static struct in6_addr mapped(const union inet_address *a)
{
	struct in6_addr ret = IN6ADDR_ANY_INIT;

	if (a->any.sa_family == AF_INET6)
		return a->v6.sin6_addr;
	ret.s6_addr[10] = ret.s6_addr[11] = 0xff;
	memcpy(&ret.s6_addr[12], &a->v4.sin_addr, 4);
	return ret;
}

static const struct move *move_of(const struct moves *m, const union inet_address *a)
{
	struct in6_addr address = mapped(a);

	for (size_t i = 0; i < m->n; i++)
		if (IN6_ARE_ADDR_EQUAL(&m->v[i].old, &address))
			return &m->v[i];
	return NULL;
}

static uint64_t key_of(const union inet_address *from, const union inet_address *to)
{
	struct {
		struct in6_addr from, to;
		uint16_t from_port, to_port;
	} ends = { mapped(from), mapped(to), inet_address_port(from), inet_address_port(to) };

	return hash_bytes(&ends, sizeof(ends));
}

static int note_ends(struct moves *m, const struct inet_restore *data)
{
	union inet_address from, to;
	int err = 0;

	for (const struct inet_socket *sk = data->first; sk && !err; sk = sk->next) {
		for (size_t i = 0; i < sk->entry->n_waiting && !err; i++)
			err = hash_put(&m->waiting, sk->entry->waiting[i], 1);
		if (err || !sk->stream)
			continue;
		inet_entry_source(sk->entry, &from);
		inet_entry_target(sk->entry, &to);
		err = hash_put_ptr(&m->ends, key_of(&from, &to), sk);
	}
	return err;
}

static bool has_peer(const struct moves *m, const union inet_address *from, const union inet_address *to)
{
	const struct inet_socket *peer = hash_get_ptr(&m->ends, key_of(to, from));
	union inet_address its_from, its_to;

	if (!peer)
		return false;
	inet_entry_source(peer->entry, &its_from);
	inet_entry_target(peer->entry, &its_to);
	return inet_address_same(&its_from, to) && inet_address_same(&its_to, from);
}

/* Before any of them is changed. */
static int find_peers(const struct moves *m, const struct inet_restore *data)
{
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;
	uint64_t one;
	int err = 0;

	for (struct inet_socket *sk = data->first; sk; sk = sk->next) {
		if (!sk->stream)
			continue;
		inet_entry_source(sk->entry, &from);
		inet_entry_target(sk->entry, &to);
		sk->peer_is_inside = hash_get(&m->waiting, sk->file->id, &one) || has_peer(m, &from, &to);
		if (move_of(m, &from) && !sk->peer_is_inside)
			err = fail(
				-EADDRNOTAVAIL,
				"--tcp-address: file %#x: the peer of the TCP connection from %s to %s is not in the tree, "
				"and knows the old address only; have it closed with --tcp-close",
				sk->file->id, inet_address_text(&from, src), inet_address_text(&to, dst));
	}
	return err;
}

static void set_words(uint32_t *words, size_t n, const struct in6_addr *address)
{
	memcpy(words, &address->s6_addr[16 - 4 * n], 4 * n);
}

static void move_keys(const struct moves *m, const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_md5; i++) {
		ProtobufCBinaryData *data = &entry->md5[i]->address;
		union inet_address a = { .any.sa_family = data->len == 4 ? AF_INET : AF_INET6 };
		const struct move *move;

		memcpy(data->len == 4 ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr, data->data, data->len);
		move = entry->md5[i]->prefix == 8 * data->len ? move_of(m, &a) : NULL;
		if (move)
			memcpy(data->data, &move->new.s6_addr[16 - data->len], data->len);
	}
}

static void move_socket(const struct moves *m, const struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;
	union inet_address from, to;
	const struct move *move;

	inet_entry_source(entry, &from);
	inet_entry_target(entry, &to);
	move = move_of(m, &from);
	if (move)
		set_words(entry->src_addr, entry->n_src_addr, &move->new);
	move = sk->peer_is_inside ? move_of(m, &to) : NULL;
	if (move)
		set_words(entry->dst_addr, entry->n_dst_addr, &move->new);
	move_keys(m, entry);
}

int inet_move_addresses(struct restore *r, const struct inet_restore *data)
{
	const struct options *opts = r->opts;
	struct moves m = { .n = opts->tcp_addresses_nr };
	int err = 0;

	if (!m.n)
		return 0;
	m.v = restore_alloc(r, m.n * sizeof(*m.v));
	if (!m.v)
		return fail(-ENOMEM, "--tcp-address");
	for (size_t i = 0; i < m.n && !err; i++) {
		err = parse(opts->tcp_addresses[i].key, &m.v[i].old);
		if (!err)
			err = parse(opts->tcp_addresses[i].val, &m.v[i].new);
	}
	if (!err)
		err = note_ends(&m, data);
	if (err)
		fail(err, "--tcp-address");
	else
		err = find_peers(&m, data);
	/* Also if some cannot be: criu check -D looks at the others. */
	for (const struct inet_socket *sk = data->first; sk; sk = sk->next)
		if (inet_is_tcp(sk->entry))
			move_socket(&m, sk);
	hash_free(&m.ends);
	hash_free(&m.waiting);
	return err;
}
