// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets while the tree is frozen: addresses, options, state; queued data is read when all sockets are known (read.c).
 */
#include "kinds/fd/inet/save.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/datagrams.h"
#include "kinds/fd/inet/groups.h"
#include "kinds/fd/inet/mptcp.h"
#include "kinds/fd/inet/options_save.h"
#include "kinds/fd/inet/state.h"
#include "kinds/fd/inet/tcp_save.h"
#include "kinds/fd/sockopts.h"
#include "run/network.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define DATAGRAMS_RESERVE 8192 /* for what arrives meanwhile: more than that is lost, as a network may lose it */

static uint32_t number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

bool inet_claims(const struct fd_probe *probe)
{
	uint32_t family;

	if (!S_ISSOCK(probe->st.st_mode) || (probe->flags & O_PATH))
		return false;
	family = number(probe->local, SOL_SOCKET, SO_DOMAIN);
	return (family == AF_INET || family == AF_INET6) &&
	       inet_protocol_is_valid(number(probe->local, SOL_SOCKET, SO_TYPE),
				      number(probe->local, SOL_SOCKET, SO_PROTOCOL));
}

static int save_addresses(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, bool *ret_connected)
{
	union inet_address src = { 0 }, dst = { 0 };
	socklen_t len = sizeof(src);
	int err;

	if (getsockname(probe->local, &src.any, &len) < 0)
		return fail(-errno, "address of a socket");
	dst.any.sa_family = src.any.sa_family;
	len = sizeof(dst);
	*ret_connected = !getpeername(probe->local, &dst.any, &len);
	/* A raw socket's port is its protocol. */
	if (entry->type == SOCK_RAW && entry->family == AF_INET)
		src.v4.sin_port = dst.v4.sin_port = 0;
	else if (entry->type == SOCK_RAW)
		src.v6.sin6_port = dst.v6.sin6_port = 0;
	err = inet_entry_set(dump, entry, &src, &dst);
	return err ? fail(err, "address of a socket") : 0;
}

/* IP_FREEBIND and IP_TRANSPARENT may be off again: try whether a new socket can be bound to the address. */
static bool is_foreign(union inet_address *address)
{
	_cleanup_close_ int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, &address->any, inet_address_len(address)) < 0 && errno == EADDRNOTAVAIL;
}

static void save_foreign(struct inet_dump *data, InetSkEntry *entry)
{
	union inet_address src;

	inet_entry_source(entry, &src);
	if (inet_address_is_any(&src) || inet_address_is_loopback(&src))
		return;
	if (src.any.sa_family == AF_INET)
		src.v4.sin_port = 0;
	else
		src.v6.sin6_port = 0;
	/* Often many sockets have the same address. */
	if (memcmp(&data->checked_address, &src, sizeof(src))) {
		data->checked_address = src;
		data->checked_is_foreign = is_foreign(&src);
	}
	entry->has_foreign = entry->foreign = data->checked_is_foreign;
}

/* Queued data of a socket without connection. */
static int save_queue(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, bool failed)
{
	bool udp = entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE;
	uint32_t memory = inet_queued_memory(probe->local);
	struct inet_held *held;

	if (!memory)
		return 0;
	if (entry->type != SOCK_DGRAM || !udp) {
		log_warn("%s: has queued packets (%u bytes of memory); they are lost, as a network may lose them",
			 probe->link, memory);
		return 0;
	}
	/* Peeking would clear the error. */
	if (failed)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a pending error (SO_ERROR) in front of queued datagrams, which cannot be read without "
			"losing it; let the program query it",
			probe->link);
	if (dump_is_check(dump) || failed)
		return 0;
	dump_need_right(dump, probe->task, probe, RIGHT_RAW_SOCKETS, "datagrams that were not read yet");
	held = inet_hold(dump, probe, entry, KEEPER_DATAGRAMS);
	if (held)
		held->bytes = memory + DATAGRAMS_RESERVE;
	return held ? 0 : -ENOMEM;
}

/* Only those who may bind to it anyway have to know that: 0. */
static uint32_t first_free_port(const struct dump *dump)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (!dump->inside)
		return 0;
	/* Of the network namespace of the socket, which has been entered. */
	return read_file(proc_root(), "sys/net/ipv4/ip_unprivileged_port_start", &text) ? 1024 :
											  (uint32_t)atoi(text.data);
}

static int save_entry(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	bool connected = false;
	int err = save_addresses(dump, probe, entry, &connected);

	if (!err)
		err = sockopts_save(dump, probe, &entry->opts);
	if (!err)
		err = dump_fown(dump, probe, &entry->fown);
	if (err)
		return err;
	save_foreign(inet_dump_data(dump), entry);
	if (entry->src_port && entry->src_port < first_free_port(dump))
		dump_need_right(dump, probe->task, probe, RIGHT_LOW_PORTS, "bound to a port of root's");
	if (probe->st.st_uid) {
		entry->has_uid = true;
		entry->uid = dump_uid_of(dump, probe->st.st_uid);
	}
	if (inet_is_tcp(entry)) {
		struct tcp_info info;
		socklen_t len = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (getsockopt(probe->local, SOL_TCP, TCP_INFO, &info, &len) < 0)
			return fail(-errno, "state of a TCP socket");
		entry->state = info.tcpi_state;
		err = inet_is_mptcp(entry) ? mptcp_save(dump, probe, entry, &info) :
					     tcp_save(dump, probe, entry, &info);
		return err ? err : inet_options_save(dump, probe, entry);
	}
	entry->state = connected ? TCP_ESTABLISHED : TCP_CLOSE;
	err = save_queue(dump, probe, entry, inet_state_save(dump, probe, entry));
	if (!err)
		err = inet_options_save(dump, probe, entry);
	return err ? err : inet_groups_save(dump, probe, entry);
}

int inet_save(struct dump *dump, const struct fd_probe *probe, FileEntry *file)
{
	InetSkEntry *entry = dump_alloc(dump, sizeof(*entry));

	if (!entry || !inet_dump_data(dump))
		return fail(-ENOMEM, "internet socket");
	inet_sk_entry__init(entry);
	file->isk = entry;
	entry->id = file->id;
	entry->ino = probe->st.st_ino;
	entry->family = number(probe->local, SOL_SOCKET, SO_DOMAIN);
	entry->type = number(probe->local, SOL_SOCKET, SO_TYPE);
	entry->proto = number(probe->local, SOL_SOCKET, SO_PROTOCOL);
	entry->flags = probe->flags;
	entry->has_ns_id = true;
	entry->ns_id = dump_network_id(dump);
	if (entry->type == SOCK_RAW)
		dump_need_right(dump, probe->task, probe, RIGHT_RAW_SOCKETS, "a raw socket");
	return save_entry(dump, probe, entry);
}
