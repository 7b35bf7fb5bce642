// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queued datagrams of UDP sockets. Before the socket gets its own address, it is bound to a port that nothing else
 * uses; the datagrams are sent to that port, each with its sender's address, and the socket is unbound again. What is
 * queued remains queued.
 */
#include "kinds/fd/inet/datagrams.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/crafted.h"
#include "kinds/fd/sockopts.h"

#define SO_MEMINFO_ 55
#define SK_MEMINFO_VARS_ 9
#define ARRIVAL_WAIT_MS 5000
#define OVERHEAD 4096u /* upper bound for one datagram in the queue */

uint32_t inet_queued_memory(int fd)
{
	uint32_t info[SK_MEMINFO_VARS_] = { 0 };
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO_, info, &len) < 0 ? 0 : info[0];
}

int inet_datagrams_check(const InetSkEntry *entry)
{
	size_t size = entry->family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (entry->n_datagram && entry->proto != IPPROTO_UDP && entry->proto != IPPROTO_UDPLITE)
		return fail(-EBADMSG, "queued datagrams in a socket of protocol %u, which has none", entry->proto);
	for (size_t i = 0; i < entry->n_datagram; i++) {
		const InetDatagramEntry *d = entry->datagram[i];
		sa_family_t family = 0;

		if (d->from.len == size)
			memcpy(&family, d->from.data, sizeof(family));
		if (family != entry->family || d->data.len > UINT16_MAX)
			return fail(-EBADMSG, "a datagram of %zu bytes cannot be queued in a socket of family %u",
				    d->data.len, entry->family);
	}
	return 0;
}

static int bind_anywhere(int fd, const InetSkEntry *entry, uint16_t *ret_port)
{
	union inet_address any = { .any.sa_family = entry->family };
	socklen_t len = sizeof(any);
	int off = 0;

	if (entry->family == AF_INET6)
		setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &any.any, inet_address_len(&any)) < 0 || getsockname(fd, &any.any, &len) < 0)
		return -errno;
	*ret_port = inet_address_port(&any);
	return 0;
}

static void unbind(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	connect(fd, &none, sizeof(none));
}

static int await_arrival(int fd, uint32_t before)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < ARRIVAL_WAIT_MS; i++) {
		if (inet_queued_memory(fd) != before)
			return 0;
		/* Usually it has arrived before send(2) returns; poll(2) reports only the first one. */
		nanosleep(&ms, NULL); /* style: there is no event */
	}
	return -ETIMEDOUT;
}

/* A port of this host, with the loopback address that packets from @from can reach. */
static void address_of_port(const union inet_address *from, uint16_t port, union inet_address *ret)
{
	*ret = (union inet_address){ .any.sa_family = from->any.sa_family };
	if (from->any.sa_family == AF_INET) {
		ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		ret->v4.sin_port = htons(port);
		return;
	}
	if (inet_address_is_mapped(from))
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &ret->v6.sin6_addr);
	else
		ret->v6.sin6_addr = in6addr_loopback;
	ret->v6.sin6_port = htons(port);
}

static int send_one(int fd, const InetSkEntry *entry, const InetDatagramEntry *d, uint16_t port)
{
	size_t len = LIBNET_UDP_H + d->data.len;
	uint32_t before = inet_queued_memory(fd);
	union inet_address from = { 0 }, to;
	struct crafted_ip ip = { .from = &from, .to = &to, .protocol = (int)entry->proto, .len = len };
	_cleanup_crafted_ struct crafted c = { 0 };
	int err;

	memcpy(&from, d->from.data, d->from.len);
	/* The datagram would appear to come from another device. */
	if (entry->family == AF_INET6 && from.v6.sin6_scope_id)
		return -EOPNOTSUPP;
	address_of_port(&from, port, &to);
	err = crafted_begin(&c);
	if (err)
		return err;
	/* UDP-Lite: a coverage of 0 means the whole packet. RFC 3828 */
	if (c.net->build_udp(inet_address_port(&from), port, entry->proto == IPPROTO_UDPLITE ? 0 : len, 0, d->data.data,
			     d->data.len, c.context, 0) < 0)
		return crafted_failed(&c);
	err = crafted_send(&c, &ip);
	return err ? err : await_arrival(fd, before);
}

static size_t bytes_of(const InetSkEntry *entry)
{
	size_t sum = 0;

	for (size_t i = 0; i < entry->n_datagram; i++)
		sum += entry->datagram[i]->data.len;
	return sum;
}

void inet_datagrams_restore(int fd, const InetSkEntry *entry)
{
	size_t lost = 0, lost_bytes = 0;
	uint16_t port = 0;
	int err, first = 0;

	if (!entry->n_datagram)
		return;
	sockopts_widen(fd, 0, 4 * (bytes_of(entry) + OVERHEAD * entry->n_datagram));
	err = first = bind_anywhere(fd, entry, &port);
	for (size_t i = 0; i < entry->n_datagram; i++) {
		/* If it does not get through once, it never will: do not wait for each. */
		if (first != -ETIMEDOUT && port)
			err = send_one(fd, entry, entry->datagram[i], port);
		if (!err)
			continue;
		first = first ? first : err;
		lost++;
		lost_bytes += entry->datagram[i]->data.len;
	}
	unbind(fd);
	if (lost)
		log_warn(
			"%zu of %zu datagrams (%zu bytes) queued in a socket at port %u cannot be restored (errno %d); "
			"they are lost, as a network may lose them",
			lost, entry->n_datagram, lost_bytes, entry->src_port, -first);
}
