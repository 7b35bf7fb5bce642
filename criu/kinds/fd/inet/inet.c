// SPDX-License-Identifier: GPL-2.0-only
/* Internet sockets: TCP, UDP, UDP-Lite, raw and ICMP over IPv4 and IPv6. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/internal.h"
#include "kinds/fd/inet/lock.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/sockopts.h"
#include "run/untrusted.h"
#include "util/fds.h"

#define SO_NETNS_COOKIE_ 71
#define IPPROTO_MPTCP_ 262
#define DATAGRAMS_SPARE 8192 /* what comes meanwhile: more than that is lost, as a network may lose it */

struct inet_dump *inet_dump_data(struct dump *dump)
{
	struct inet_dump *data = *dump_kind_data(dump, &inet_kind);

	if (data)
		return data;
	data = dump_alloc(dump, sizeof(*data));
	if (!data)
		return NULL;
	data->end = &data->first;
	data->lock = data->diag = -1;
	*dump_kind_data(dump, &inet_kind) = data;
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
	data->lock = -1;
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

static bool protocol_fits(uint32_t type, uint32_t protocol)
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

/* ---- dump ---- */

static uint32_t number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

static bool inet_claims(const struct fd_probe *probe)
{
	uint32_t family;

	if (!S_ISSOCK(probe->st.st_mode) || (probe->flags & O_PATH))
		return false;
	family = number(probe->local, SOL_SOCKET, SO_DOMAIN);
	return (family == AF_INET || family == AF_INET6) &&
	       protocol_fits(number(probe->local, SOL_SOCKET, SO_TYPE), number(probe->local, SOL_SOCKET, SO_PROTOCOL));
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE_, &cookie, &len) < 0 ? 0 : cookie;
}

/* Sockets keep the network namespace in which they were made. */
static bool is_of_our_network(struct inet_dump *data, int fd)
{
	uint64_t theirs = cookie_of(fd);

	if (!data->network) {
		_cleanup_close_ int own = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		data->network = own < 0 ? 0 : cookie_of(own);
	}
	return !theirs || !data->network || theirs == data->network;
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

/* IP_FREEBIND and IP_TRANSPARENT may be off again: whether a new socket could be bound there tells. */
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
	/* As a rule many have the same one. */
	if (memcmp(&data->asked, &src, sizeof(src))) {
		data->asked = src;
		data->asked_foreign = is_foreign(&src);
	}
	entry->has_foreign = entry->foreign = data->asked_foreign;
}

/* What waits in a socket without connection. */
static int save_queue(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, bool failed)
{
	bool udp = entry->proto == IPPROTO_UDP || entry->proto == IPPROTO_UDPLITE;
	uint32_t memory = inet_memory_waiting(probe->local);
	struct inet_held *held;

	if (!memory)
		return 0;
	if (entry->type != SOCK_DGRAM || !udp) {
		log_warn("%s: packets wait in it (%u bytes of memory): they are lost, as a network may "
			 "lose them",
			 probe->link, memory);
		return 0;
	}
	/* Looking at them would take the error away. */
	if (failed)
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: an error waits in it (SO_ERROR), and datagrams that cannot be read before it: let the program "
			"ask for it",
			probe->link);
	if (dump->checking || failed)
		return 0;
	held = inet_hold(dump, probe, entry, KEEPER_DATAGRAMS);
	if (held)
		held->bytes = memory + DATAGRAMS_SPARE;
	return held ? 0 : -ENOMEM;
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

static int inet_save(struct dump *dump, const struct fd_probe *probe, FileEntry *file)
{
	InetSkEntry *entry = dump_alloc(dump, sizeof(*entry));

	if (!entry || !inet_dump_data(dump))
		return fail(-ENOMEM, "inet socket");
	if (!is_of_our_network(inet_dump_data(dump), probe->local)) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a socket of another network namespace cannot be saved yet: "
			     "close it",
			     probe->link);
		return 0;
	}
	inet_sk_entry__init(entry);
	file->isk = entry;
	entry->id = file->id;
	entry->ino = probe->st.st_ino;
	entry->family = number(probe->local, SOL_SOCKET, SO_DOMAIN);
	entry->type = number(probe->local, SOL_SOCKET, SO_TYPE);
	entry->proto = number(probe->local, SOL_SOCKET, SO_PROTOCOL);
	entry->flags = probe->flags;
	return save_entry(dump, probe, entry);
}

static int inet_save_end(struct dump *dump)
{
	struct inet_dump *data = *dump_kind_data(dump, &inet_kind);

	return data ? inet_read_held(dump, data) : 0;
}

/* ---- restore ---- */

static bool is_good_address(const InetSkEntry *entry, size_t n)
{
	return n == (entry->family == AF_INET ? 1 : 4) || !n;
}

static int check_entry(const struct file *file, const InetSkEntry *entry)
{
	if (entry->family != AF_INET && entry->family != AF_INET6)
		return fail(-EBADMSG, "files.img: file %u: %u is no family of internet sockets", file->id,
			    entry->family);
	if (!protocol_fits(entry->type, entry->proto))
		return fail(-EBADMSG, "files.img: file %u: no internet socket has type %u and protocol %u", file->id,
			    entry->type, entry->proto);
	if (entry->src_port > UINT16_MAX || entry->dst_port > UINT16_MAX || entry->backlog > INT32_MAX ||
	    !is_good_address(entry, entry->n_src_addr) || !is_good_address(entry, entry->n_dst_addr))
		return fail(-EBADMSG, "files.img: file %u: no internet socket has such addresses", file->id);
	if (entry->has_shutdown && entry->shutdown > SK_SHUTDOWN__BOTH)
		return fail(-EBADMSG, "files.img: file %u: shut down in %u ways", file->id, entry->shutdown);
	if (entry->state < TCP_ESTABLISHED || entry->state > 12 /* TCP_NEW_SYN_RECV */)
		return fail(-EBADMSG, "files.img: file %u: no socket has the state %u", file->id, entry->state);
	return 0;
}

static uint64_t port_key(const InetSkEntry *entry)
{
	uint64_t protocol = inet_is_mptcp(entry) ? IPPROTO_TCP : entry->proto;

	return entry->src_port | protocol << 16;
}

static int note_port(struct inet_restore *data, struct inet_socket *sk)
{
	struct inet_socket *other = hash_get_ptr(&data->ports, port_key(sk->entry));

	if (!sk->entry->src_port || sk->entry->type == SOCK_RAW)
		return 0;
	if (!other)
		return hash_put_ptr(&data->ports, port_key(sk->entry), sk) ? fail(-ENOMEM, "ports") : 0;
	other->shared_port = sk->shared_port = true;
	return 0;
}

static int inet_load(struct restore *r, struct file *file, void *state)
{
	struct inet_restore *data = inet_restore_data(r);
	const InetSkEntry *entry = file->entry->isk;
	struct inet_socket *sk = state;
	int err;

	if (!data)
		return fail(-ENOMEM, "inet socket");
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is an internet socket without an entry of its own", file->id);
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
	/* Those of connections are made by TCP_REPAIR, or of segments that nobody has sent. */
	if (entry->type == SOCK_RAW || (inet_is_tcp(entry) && entry->state != TCP_LISTEN && entry->state != TCP_CLOSE))
		err = untrusted_refuse(r, entry->type == SOCK_RAW ? "a raw socket" : "a TCP connection");
	if (err)
		return err;
	sk->file = file;
	sk->entry = entry;
	err = note_port(data, sk);
	if (!err && inet_is_tcp(entry))
		err = tcp_load(r, sk);
	if (err)
		return err;
	*data->end = sk;
	data->end = &sk->next;
	data->connected |= sk->stream != NULL;
	data->had_connections |= sk->stream || sk->close;
	return 0;
}

static int inet_link(struct restore *r, struct file *file, void *state)
{
	return inet_backlog_link(r, file, state);
}

const struct fd_kind inet_kind = {
	.name = "inet",
	.image_type = FD_TYPES__INETSK,
	.for_untrusted = true,
	.state_size = sizeof(struct inet_socket),
	.claims = inet_claims,
	.save = inet_save,
	.load = inet_load,
	.link = inet_link,
	.open = inet_open,
	.finish = inet_finish,
};

const struct run_kind inet_run = {
	.name = "inet",
	.save_end = inet_save_end,
	.save_rest = inet_save_rest,
	.save_commit = inet_save_commit,
	.saved = inet_saved,
	.save_undo = inet_save_undo,
	.before_fork = inet_before_fork,
	.ready = inet_ready,
	.committed = inet_committed,
	.failed = inet_failed,
};
