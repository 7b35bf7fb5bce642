// SPDX-License-Identifier: GPL-2.0-only
/* Per-run state of all internet sockets. A leaf: every file of this kind may use it, and it uses none of them. */
#include "kinds/fd/inet/data.h"
#include <errno.h>
#include "run/network.h"
#include "util/fds.h"

#define IPPROTO_MPTCP_ 262

struct inet_networks *inet_networks(const struct dump *dump)
{
	return dump->kind_data[kind_row(&inet_kind)];
}

bool inet_network_remains(const struct inet_dump *data)
{
	return !data->network || data->network->external;
}

static struct inet_networks *make_networks(struct dump *dump)
{
	struct inet_networks *all = inet_networks(dump);

	if (all)
		return all;
	all = dump_alloc(dump, sizeof(*all));
	if (all)
		all->end = &all->first;
	*dump_kind_data(dump, &inet_kind) = all;
	return all;
}

struct inet_dump *inet_dump_data(struct dump *dump)
{
	struct inet_networks *all = make_networks(dump);
	const struct ns *network = dump_network(dump);
	struct inet_dump *data = all ? all->first : NULL;

	while (data && data->network != network)
		data = data->next;
	if (data || !all)
		return data;
	data = dump_alloc(dump, sizeof(*data));
	if (!data)
		return NULL;
	data->network = network;
	data->end = &data->first;
	*all->end = data;
	all->end = &data->next;
	return data;
}

static void free_ports(void *ports)
{
	hash_free(ports);
}

struct inet_restore *inet_restore_data(struct restore *r)
{
	struct inet_restore *data = *restore_kind_data(r, &inet_kind);

	if (data)
		return data;
	data = restore_alloc(r, sizeof(*data));
	if (!data || arena_defer(&r->arena, free_ports, &data->ports) < 0)
		return NULL;
	data->end = &data->first;
	*restore_kind_data(r, &inet_kind) = data;
	return data;
}

bool inet_is_mptcp(const InetSkEntry *entry)
{
	return entry->proto == IPPROTO_MPTCP_;
}

bool inet_is_tcp(const InetSkEntry *entry)
{
	return entry->type == SOCK_STREAM;
}

bool inet_protocol_is_valid(uint32_t type, uint32_t protocol)
{
	switch (type) {
	case SOCK_STREAM:
		return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP_;
	case SOCK_DGRAM:
		return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_ICMP ||
		       protocol == IPPROTO_ICMPV6;
	case SOCK_RAW:
		return protocol <= IPPROTO_RAW;
	default:
		return false;
	}
}

bool inet_tree_ends(const struct dump *dump)
{
	return !dump->opts->leave_running && !dump->opts->leave_stopped;
}

struct inet_held *inet_hold(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, enum keeper_what what)
{
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_held *held = dump_alloc(dump, sizeof(*held));

	if (!held || !data) {
		fail(-ENOMEM, "socket");
		return NULL;
	}
	*held = (struct inet_held){ .entry = entry, .task = probe->task, .fd = probe->fd, .what = what };
	/* check: nothing of the running tree is touched; only the number of sockets matters. */
	held->local = dump_is_check(dump) ? -1 : dup_fd_above(probe->local, 3);
	if (held->local < 0 && !dump_is_check(dump)) {
		fail(held->local, "copy the descriptor of a socket");
		return NULL;
	}
	*data->end = held;
	data->end = &held->next;
	data->nr++;
	data->nr_streams += what == KEEPER_STREAM;
	return held;
}

void inet_set_shutdown(InetSkEntry *entry, unsigned how)
{
	entry->has_shutdown = how != 0;
	entry->shutdown = how & 3;
}
