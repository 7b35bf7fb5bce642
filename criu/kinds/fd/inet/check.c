// SPDX-License-Identifier: GPL-2.0-only
/* criu check -D: has this host the address of a socket, and is its port free? No port is taken to find out. */
#include "kinds/fd/inet/check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/holder.h"
#include "netlink/inet_diag.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"

/* States of connections that no program has any more, and which keep their port for a while. */
#define ENDING (BIT(TCP_TIME_WAIT) | BIT(TCP_FIN_WAIT1) | BIT(TCP_FIN_WAIT2) | BIT(TCP_CLOSING) | BIT(TCP_LAST_ACK))

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
		    "%s: this host does not have this address, but had it at the dump; add it (ip address add)%s", text,
		    inet_is_tcp(entry) ? ", or use another (--tcp-address)" : "");
}

static bool is_any(const struct inet_diag_socket *sk)
{
	static const uint32_t zero[4];

	return !memcmp(sk->src, zero, sizeof(zero));
}

static bool is_mapped(const struct inet_diag_socket *sk)
{
	return !sk->src[0] && !sk->src[1] && sk->src[2] == htonl(0xffff);
}

/* One for all addresses of IPv6 has those of IPv4, too, unless it is for IPv6 only. */
static bool overlaps(const InetSkEntry *entry, const union inet_address *a, const struct inet_diag_socket *sk)
{
	bool v4 = a->any.sa_family == AF_INET || inet_address_is_mapped(a), any = inet_address_is_any(a);
	bool other_v4 = sk->family == AF_INET || is_mapped(sk);
	uint32_t other = sk->family == AF_INET ? sk->src[0] : sk->src[3];

	if (v4 && other_v4)
		return any || !other || inet_address_v4(a) == other;
	if (v4)
		return is_any(sk) && !sk->v6only;
	if (other_v4)
		return any && !(entry->has_v6only && entry->v6only);
	return any || is_any(sk) || !memcmp(sk->src, &a->v6.sin6_addr, sizeof(sk->src));
}

/* Each may be for one network device only. */
static bool same_device(const InetSkEntry *entry, const struct inet_diag_socket *sk)
{
	unsigned own = entry->opts->so_bound_dev ? if_nametoindex(entry->opts->so_bound_dev) : 0;

	return !own || !sk->interface || own == sk->interface;
}

/* Does the kernel bind both, as their programs want that? What cannot be found out is not reported. bind(2), socket(7) */
static bool shares(const struct restore *r, const struct inet_socket *own, const struct inet_diag_socket *sk)
{
	const InetSkEntry *entry = own->entry;
	bool listens = inet_is_tcp(entry) && sk->state == TCP_LISTEN;
	bool address = (entry->opts->reuseaddr || own->shared_port) && !listens;
	uid_t uid = entry->has_uid ? restore_uid_here(r, entry->uid) : geteuid();
	struct inet_sharing other;

	/* A connection that nobody has any more. */
	if (!sk->ino)
		return address || entry->opts->so_reuseport || !(ENDING & BIT(sk->state));
	if (!address && (!entry->opts->so_reuseport || sk->uid != uid))
		return false;
	return inet_sharing_of(sk->ino, &other) || (address && other.address) ||
	       (entry->opts->so_reuseport && sk->uid == uid && other.port);
}

static int in_use(const InetSkEntry *entry, const union inet_address *address, const struct inet_diag_socket *by)
{
	char text[INET_TEXT_MAX];

	inet_address_text(address, text);
	if (!by->ino)
		return fail(-EADDRINUSE,
			    "%s: connections of this port have just ended (TIME_WAIT); try again in a minute", text);
	return fail(-EADDRINUSE,
		    "%s: in use by socket %u of user %u (`ss -ap 'sport = %u'` shows it); end that program first", text,
		    by->ino, by->uid, entry->src_port);
}

static int check_port(const struct restore *r, const struct inet_socket *own, const union inet_address *address)
{
	const InetSkEntry *entry = own->entry;
	int protocol = inet_is_tcp(entry) ? IPPROTO_TCP : (int)entry->proto, err = 0;
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;

	inet_diag_read(AF_INET, protocol, ~0u, entry->src_port, &all);
	inet_diag_read(AF_INET6, protocol, ~0u, entry->src_port, &all);
	array_for_each(sk, &all)
		if (!err && overlaps(entry, address, sk) && same_device(entry, sk) && !shares(r, own, sk))
			err = in_use(entry, address, sk);
	array_free(&all);
	return err;
}

/* Connections share the port of a socket that listens, and others do not occupy the one that they once had. */
static bool takes_port(const struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;

	if (!inet_is_tcp(entry))
		return entry->type == SOCK_DGRAM;
	if (entry->state != TCP_CLOSE)
		return entry->state == TCP_LISTEN;
	if (!entry->connect_failed && (entry->unread || entry->error))
		return entry->holds_port;
	return entry->holds_port || entry->shutdown != SK_SHUTDOWN__BOTH;
}

/* In other network namespaces than the tool's, which do not exist yet, there is nothing in the way. */
int inet_check(struct restore *r, struct file *file, const void *state)
{
	const struct inet_socket *sk = state;
	const InetSkEntry *entry = sk->entry;
	bool bound = takes_port(sk);
	union inet_address address;
	int err = 0;

	if ((file->network && !file->network->own) || sk->close || (!entry->src_port && !bound))
		return 0;
	inet_entry_source(entry, &address);
	if (!inet_address_is_any(&address) && !(entry->has_foreign && entry->foreign))
		err = check_address(entry, address);
	return !err && bound && entry->src_port ? check_port(r, sk, &address) : err;
}
