// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shutdown state and pending errors of sockets, at the dump. sock_diag reports the shutdown state of sockets that have
 * a port and a protocol that it supports; the rest is read from kernel memory, since SO_ERROR clears the error.
 */
#include "kinds/fd/inet/state.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/errors.h"
#include "netlink/inet_diag.h"

/* All sockets of a family and protocol: inode -> 1 + shutdown state. */
struct inet_listing {
	struct inet_listing *next;
	uint32_t family, protocol;
	struct hash shutdown;
};

static void free_listing(void *listing)
{
	hash_free(&((struct inet_listing *)listing)->shutdown);
}

static void close_reader(void *reader)
{
	sock_memory_close(reader);
}

int inet_memory_of(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry, struct sock_memory *ret)
{
	struct inet_dump *data = inet_dump_data(dump);
	bool tcp = inet_is_tcp(entry) && !inet_is_mptcp(entry);

	if (!data)
		return -ENOMEM;
	if (!data->memory && !data->no_memory) {
		data->no_memory = sock_memory_open(&data->memory);
		if (data->no_memory)
			log_debug("kernel memory cannot be read for the state of sockets: errno %d", -data->no_memory);
		else if (arena_defer(&dump->arena, close_reader, data->memory) < 0)
			return -ENOMEM;
	}
	return data->no_memory ? data->no_memory : sock_memory_read(data->memory, probe->local, true, tcp, ret);
}

static int read_listing(struct inet_listing *listing)
{
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;
	int err = inet_diag_read(listing->family, listing->protocol, ~0u, 0, &all);

	array_for_each(sk, &all) {
		if (!err && sk->ino)
			err = hash_put(&listing->shutdown, sk->ino, 1u + (sk->shutdown & 3u));
	}
	array_free(&all);
	return err;
}

/* -1: sock_diag does not report it. */
static int listed_shutdown(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry)
{
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_listing *listing = data->listings;
	uint64_t found;

	while (listing && (listing->family != entry->family || listing->protocol != entry->proto))
		listing = listing->next;
	if (!listing) {
		listing = dump_alloc(dump, sizeof(*listing));
		if (!listing || arena_defer(&dump->arena, free_listing, listing) < 0)
			return -1;
		listing->family = entry->family;
		listing->protocol = entry->proto;
		listing->next = data->listings;
		data->listings = listing;
		if (read_listing(listing) < 0)
			hash_free(&listing->shutdown);
	}
	return hash_get(&listing->shutdown, probe->st.st_ino, &found) ? (int)found - 1 : -1;
}

static void save_error(const struct fd_probe *probe, InetSkEntry *entry, const struct sock_memory *m)
{
	if (m->queued_errors)
		log_warn("%s: %u errors or timestamps in its error queue (MSG_ERRQUEUE) are lost", probe->link,
			 m->queued_errors);
	if (!m->error)
		return;
	if (entry->state == TCP_ESTABLISHED && icmp_can_report(entry, m->error)) {
		entry->has_error = true;
		entry->error = m->error;
		return;
	}
	log_warn("%s: its pending error (SO_ERROR: %s) is lost", probe->link, strerror(m->error));
}

/* getpeername(2) reports no peer without a port, and raw sockets need none. */
static void save_raw_peer(InetSkEntry *entry, const struct sock_memory *m)
{
	if (entry->type != SOCK_RAW || m->state != TCP_ESTABLISHED)
		return;
	entry->state = TCP_ESTABLISHED;
	memcpy(entry->dst_addr, m->peer, entry->n_dst_addr * sizeof(*m->peer));
}

bool inet_state_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	bool udp = entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE, failed;
	struct pollfd p = { .fd = probe->local, .events = POLLRDHUP };
	unsigned shown = 0;
	struct sock_memory m;
	int listed = -1;

	failed = poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
	if (p.revents & POLLRDHUP)
		shown = p.revents & POLLHUP ? SK_SHUTDOWN__BOTH : SK_SHUTDOWN__READ;
	if (!failed && shown != SK_SHUTDOWN__BOTH && udp && entry->src_port)
		listed = listed_shutdown(dump, probe, entry);
	if (!failed && ((udp && shown == SK_SHUTDOWN__BOTH) || listed >= 0)) {
		inet_set_shutdown(entry, listed >= 0 ? (unsigned)listed : shown);
		return false;
	}
	if (!inet_memory_of(dump, probe, entry, &m)) {
		inet_set_shutdown(entry, m.shutdown);
		save_raw_peer(entry, &m);
		save_error(probe, entry, &m);
		return m.error != 0;
	}
	inet_set_shutdown(entry, shown);
	if (failed)
		log_warn("%s: a pending error or timestamp (SO_ERROR, MSG_ERRQUEUE) is lost", probe->link);
	return failed;
}
