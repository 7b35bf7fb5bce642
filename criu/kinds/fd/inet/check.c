// SPDX-License-Identifier: GPL-2.0-only
/* criu check -D: has this host the address of a socket, and is its port free? No port is taken to find out. */
#include "kinds/fd/inet/check.h"
#include <errno.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "netlink/inet_diag.h"
#include "run/restore.h"
#include "util/fds.h"

/* An address without a port: with this option bind(2) only checks whether the host has it. ip(7) */
static int check_address(const InetSkEntry *entry, union inet_address address)
{
	_cleanup_close_ int fd = socket(entry->family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	char text[INET_TEXT_MAX];
	int on = 1;

	inet_address_text(&address, text);
	if (address.any.sa_family == AF_INET)
		address.v4.sin_port = 0;
	else
		address.v6.sin6_port = 0;
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0)
		return 0;
	if (!bind(fd, &address.any, inet_address_len(&address)) || errno != EADDRNOTAVAIL)
		return 0;
	return fail(-EADDRNOTAVAIL,
		    "%s: this host does not have this address, but had it at the dump; add it (ip address add)", text);
}

static bool is_any(const struct inet_diag_socket *sk)
{
	static const uint32_t zero[4];

	return !memcmp(sk->src, zero, sizeof(zero));
}

static bool same_address(const struct inet_diag_socket *sk, const union inet_address *a)
{
	if (sk->family == AF_INET)
		return (a->any.sa_family == AF_INET || inet_address_is_mapped(a)) && sk->src[0] == inet_address_v4(a);
	return a->any.sa_family == AF_INET6 && !memcmp(sk->src, &a->v6.sin6_addr, sizeof(sk->src));
}

/* Would the kernel refuse to bind both? Of the two families, those of one that is for IPv6 only never do. */
static bool conflicts(const InetSkEntry *entry, const union inet_address *a, const struct inet_diag_socket *sk)
{
	bool families = sk->family == entry->family ||
			(entry->family == AF_INET6 && !(entry->has_v6only && entry->v6only)) ||
			(sk->family == AF_INET6 && is_any(sk));

	return families && (is_any(sk) || inet_address_is_any(a) || same_address(sk, a));
}

/* What a new listening socket, or one of UDP, collides with. Connections do not matter if it may use the port again. */
static uint32_t states_in_the_way(const InetSkEntry *entry)
{
	if (!inet_is_tcp(entry))
		return ~0u;
	return entry->opts->reuseaddr ? BIT(TCP_LISTEN) : BIT(TCP_LISTEN) | BIT(TCP_CLOSE) | BIT(TCP_ESTABLISHED);
}

static int check_port(const InetSkEntry *entry, const union inet_address *address)
{
	int protocol = inet_is_tcp(entry) ? IPPROTO_TCP : (int)entry->proto;
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk, *other = NULL;
	char text[INET_TEXT_MAX];

	inet_diag_read(AF_INET, protocol, states_in_the_way(entry), entry->src_port, &all);
	inet_diag_read(AF_INET6, protocol, states_in_the_way(entry), entry->src_port, &all);
	array_for_each(sk, &all)
		if (!other && sk->ino && conflicts(entry, address, sk))
			other = sk;
	if (other)
		fail(-EADDRINUSE,
		     "%s: in use by socket %u of user %u (`ss -ap 'sport = %u'` shows it); end that program first",
		     inet_address_text(address, text), other->ino, other->uid, entry->src_port);
	array_free(&all);
	return other ? -EADDRINUSE : 0;
}

/* In other network namespaces than the tool's, which do not exist yet, there is nothing in the way. */
int inet_check(struct restore *r, struct file *file, const void *state)
{
	const struct inet_socket *sk = state;
	const InetSkEntry *entry = sk->entry;
	bool bound = entry->state == TCP_LISTEN || (!inet_is_tcp(entry) && entry->type == SOCK_DGRAM);
	union inet_address address;
	int err = 0;

	if ((file->network && !file->network->own) || sk->close || (!entry->src_port && !bound))
		return 0;
	inet_entry_source(entry, &address);
	if (!inet_address_is_any(&address) && !(entry->has_foreign && entry->foreign))
		err = check_address(entry, address);
	/* Several programs may share a port if all of them want to. */
	if (!err && bound && entry->src_port && !entry->opts->so_reuseport)
		err = check_port(entry, &address);
	return err;
}
