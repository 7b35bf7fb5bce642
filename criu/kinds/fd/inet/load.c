// SPDX-License-Identifier: GPL-2.0-only
/* The entry of a socket: all of its values are checked here, before any process exists. */
#include "kinds/fd/inet/load.h"
#include <errno.h>
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/datagrams.h"
#include "kinds/fd/inet/groups.h"
#include "kinds/fd/inet/libnet_calls.h"
#include "kinds/fd/inet/options_restore.h"
#include "kinds/fd/inet/tcp_keys.h"
#include "kinds/fd/inet/tcp_open.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "kinds/fd/sockopts.h"
#include "run/network.h"
#include "run/untrusted.h"

static bool is_good_address(const InetSkEntry *entry, size_t n)
{
	return n == (entry->family == AF_INET ? 1 : 4) || !n;
}

static int check_entry(const struct file *file, const InetSkEntry *entry)
{
	if (entry->family != AF_INET && entry->family != AF_INET6)
		return fail(-EBADMSG, "files.img: file %u: %u is not an internet address family", file->id,
			    entry->family);
	if (!inet_protocol_is_valid(entry->type, entry->proto))
		return fail(-EBADMSG, "files.img: file %u: invalid type %u and protocol %u of an internet socket",
			    file->id, entry->type, entry->proto);
	if (entry->src_port > UINT16_MAX || entry->dst_port > UINT16_MAX || entry->backlog > INT32_MAX ||
	    !is_good_address(entry, entry->n_src_addr) || !is_good_address(entry, entry->n_dst_addr))
		return fail(-EBADMSG, "files.img: file %u: invalid addresses of an internet socket", file->id);
	if (entry->has_shutdown && entry->shutdown > SK_SHUTDOWN__BOTH)
		return fail(-EBADMSG, "files.img: file %u: invalid shutdown state %u", file->id, entry->shutdown);
	if (entry->state < TCP_ESTABLISHED || entry->state > 12 /* TCP_NEW_SYN_RECV */)
		return fail(-EBADMSG, "files.img: file %u: invalid socket state %u", file->id, entry->state);
	return 0;
}

static uint64_t port_key(const struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;
	uint64_t protocol = inet_is_mptcp(entry) ? IPPROTO_TCP : entry->proto;

	return entry->src_port | protocol << 16 | (uint64_t)sk->file->network->id << 32;
}

static int note_port(struct inet_restore *data, struct inet_socket *sk)
{
	struct inet_socket *other = hash_get_ptr(&data->ports, port_key(sk));

	if (!sk->entry->src_port || sk->entry->type == SOCK_RAW)
		return 0;
	if (!other)
		return hash_put_ptr(&data->ports, port_key(sk), sk) ? fail(-ENOMEM, "ports") : 0;
	other->shared_port = sk->shared_port = true;
	return 0;
}

/* Whether it is restored by segments, datagrams or ICMP messages with a forged sender. */
static bool needs_crafted_packets(const struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;
	uint32_t state = entry->state;

	if (sk->stream)
		return sk->stream->has_urgent || tcp_got_fin(state) || state == TCP_FIN_WAIT2;
	return entry->n_datagram || entry->unread || entry->error || entry->connect_failed;
}

static int check_rights(const struct restore *r, const struct inet_socket *sk)
{
	if (sk->entry->type == SOCK_RAW)
		return rights_need(&r->rights, RIGHT_RAW_SOCKETS, "files.img: file %#x: a raw socket", sk->file->id);
	if (!sk->stream)
		return 0;
	return rights_need(&r->rights, RIGHT_NET_ADMIN, "files.img: file %#x: a TCP connection (TCP_REPAIR)",
			   sk->file->id);
}

int inet_load(struct restore *r, struct file *file, void *state)
{
	struct inet_restore *data = inet_restore_data(r);
	const InetSkEntry *entry = file->entry->isk;
	struct inet_socket *sk = state;
	int err;

	if (!data)
		return fail(-ENOMEM, "inet socket");
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is an internet socket, but has no entry for it", file->id);
	err = check_entry(file, entry);
	if (!err)
		err = sockopts_check(entry->opts);
	if (!err)
		err = inet_options_check(entry);
	if (!err)
		err = tcp_keys_check(entry);
	if (!err)
		err = inet_groups_check(entry);
	if (!err)
		err = inet_datagrams_check(entry);
	if (err)
		return err;
	/* Connections are restored by TCP_REPAIR, or by segments with a forged sender. */
	if (entry->type == SOCK_RAW || (inet_is_tcp(entry) && entry->state != TCP_LISTEN && entry->state != TCP_CLOSE))
		err = untrusted_refuse(r, entry->type == SOCK_RAW ? "a raw socket" : "a TCP connection");
	if (err)
		return err;
	sk->file = file;
	sk->entry = entry;
	err = restore_set_network(r, file, entry->ns_id);
	if (!err)
		err = note_port(data, sk);
	if (!err && inet_is_tcp(entry))
		err = tcp_load(r, sk);
	if (!err)
		err = check_rights(r, sk);
	/* A missing library fails the restore before it starts, and it is loaded once for all tasks. */
	if (!err && needs_crafted_packets(sk) && !libnet_load())
		err = -ELIBACC;
	if (err)
		return err;
	*data->end = sk;
	data->end = &sk->next;
	data->connected |= sk->stream != NULL;
	r->tool.announces_network |= sk->stream || sk->close;
	return 0;
}
