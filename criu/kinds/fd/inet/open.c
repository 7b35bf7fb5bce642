// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets are created in three steps: open creates and binds them, finish (all tasks have theirs by then) calls
 * listen(2) or connects them in repair mode, ready activates the connections while nothing else runs yet.
 */
#include "kinds/fd/inet/open.h"
#include <errno.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/datagrams.h"
#include "kinds/fd/inet/errors.h"
#include "kinds/fd/inet/groups.h"
#include "kinds/fd/inet/options_restore.h"
#include "kinds/fd/inet/tcp_failed.h"
#include "kinds/fd/inet/tcp_keys.h"
#include "kinds/fd/inet/tcp_open.h"
#include "kinds/fd/inet/tcp_ended.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/sockopts.h"
#include "netlink/inet_diag.h"
#include "run/network.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/str.h"

static int set_reuse(int fd, int value)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)) < 0 ? fail(-errno, "set SO_REUSEADDR") :
										     0;
}

/* Describes what occupies a port; "" if nothing is found. */
static void find_holder(const InetSkEntry *entry, char *text, size_t size)
{
	struct inet_diag_sockets all = { 0 };
	uint32_t states = inet_is_tcp(entry) ?
				  BIT(TCP_LISTEN) | BIT(INET_DIAG_BOUND) | BIT(TCP_ESTABLISHED) | BIT(TCP_TIME_WAIT) :
				  ~0u;
	int protocol = inet_is_tcp(entry) ? IPPROTO_TCP : (int)entry->proto;
	bool time_wait = false;
	const struct inet_diag_socket *sk;

	text[0] = '\0';
	inet_diag_read(AF_INET, protocol, states, entry->src_port, &all);
	inet_diag_read(AF_INET6, protocol, states, entry->src_port, &all);
	array_for_each(sk, &all) {
		time_wait |= sk->state == TCP_TIME_WAIT;
		if (!text[0] && sk->ino)
			snprintf(text, size, ": in use by socket %u of user %u (`ss -ap 'sport = %u'` shows it)",
				 sk->ino, sk->uid, entry->src_port);
	}
	array_free(&all);
	if (!text[0] && time_wait && inet_is_tcp(entry))
		snprintf(text, size, ": connections of this port have just ended (TIME_WAIT); try again in a minute");
}

/* SO_REUSEPORT requires that all sockets belong to one user: while the others are bound, all of them are root's. */
static int change_owner(const struct restore *r, int fd, const InetSkEntry *entry)
{
	if (entry->has_uid && fchown(fd, restore_uid_here(r, entry->uid), -1) < 0)
		return fail(-errno, "change the owner of a socket to user %u", entry->uid);
	return 0;
}

static int bind_failed(int err, const InetSkEntry *entry, const union inet_address *src)
{
	char text[INET_TEXT_MAX], holder[160] = "";

	if (err == -EADDRNOTAVAIL)
		return fail(
			err,
			"bind a socket to %s: this host does not have this address, but had it at the dump; add it (ip "
			"address add)%s",
			inet_address_text(src, text), inet_is_tcp(entry) ? ", or use another (--tcp-address)" : "");
	if (err == -EADDRINUSE)
		find_holder(entry, holder, sizeof(holder));
	return fail(err, "bind a socket to %s%s", inet_address_text(src, text), holder);
}

static int bind_source(const struct restore *r, int fd, const InetSkEntry *entry)
{
	union inet_address src;
	int err;

	inet_entry_source(entry, &src);
	if (!entry->src_port && inet_address_is_any(&src))
		return 0;
	if (entry->ifname && src.any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&src.v6.sin6_addr) &&
	    !src.v6.sin6_scope_id)
		return fail(-ENODEV, "bind a socket: there is no network device %s", entry->ifname);
	err = inet_bind_as_before(fd, entry, &src);
	/* Another socket on the port may be one that is not in the images. */
	if (err == -EADDRINUSE && entry->has_uid && entry->opts->so_reuseport && !change_owner(r, fd, entry))
		err = inet_bind_as_before(fd, entry, &src);
	return err ? bind_failed(err, entry, &src) : 0;
}

static int connect_target(int fd, const InetSkEntry *entry)
{
	char text[INET_TEXT_MAX];
	union inet_address dst;

	inet_entry_target(entry, &dst);
	if (connect(fd, &dst.any, inet_address_len(&dst)) < 0)
		return fail(-errno, "connect a socket to %s", inet_address_text(&dst, text));
	return 0;
}

/* Returns ENOTCONN without a connection, but has its effect. net/ipv4/af_inet.c inet_shutdown */
static void shut_down(int fd, const InetSkEntry *entry)
{
	static const int how[] = {
		[SK_SHUTDOWN__READ] = SHUT_RD, [SK_SHUTDOWN__WRITE] = SHUT_WR, [SK_SHUTDOWN__BOTH] = SHUT_RDWR
	};

	if (entry->has_shutdown && entry->shutdown)
		shutdown(fd, how[entry->shutdown]);
}

/* All but TCP: they need no further step. */
static int open_datagram(const struct restore *r, int fd, const InetSkEntry *entry)
{
	int err = bind_source(r, fd, entry);

	if (!err)
		err = inet_options_restore(fd, entry);
	if (!err)
		err = inet_groups_restore(fd, entry);
	if (!err && entry->state == TCP_ESTABLISHED)
		err = connect_target(fd, entry);
	if (!err)
		err = sockopts_restore(fd, entry->opts);
	if (err)
		return err;
	inet_error_restore(fd, entry);
	shut_down(fd, entry);
	return 0;
}

static int open_tcp(const struct restore *r, int fd, const struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;
	/* A socket that was connected once still shows its port, but does not occupy it any more. */
	bool closed = entry->state == TCP_CLOSE, failed = closed && entry->connect_failed;
	bool has_remains = closed && !failed && (entry->unread || entry->error);
	bool ended = sk->close || has_remains || (closed && entry->shutdown == SK_SHUTDOWN__BOTH);
	int err = has_remains ? tcp_restore_ended(sk, fd) : 0;

	if (!err && !sk->stream && (!ended || entry->holds_port))
		err = bind_source(r, fd, entry);
	if (!err && failed)
		err = tcp_restore_failed(sk, fd);
	if (!err && !sk->stream)
		err = tcp_keys_restore(fd, entry);
	if (!err && !sk->stream)
		err = inet_options_restore(fd, entry);
	if (!err && !sk->stream)
		err = sockopts_restore(fd, entry->opts);
	if (!err && sk->shared_port)
		err = set_reuse(fd, 1);
	/* It reads as closed from then on. */
	if (!err && sk->close)
		shutdown(fd, SHUT_RDWR);
	else if (!err && !has_remains && !failed && !sk->stream)
		shut_down(fd, entry);
	return err;
}

static int finish_tcp(const struct inet_socket *sk, int fd)
{
	char text[INET_TEXT_MAX], holder[160] = "";
	union inet_address src;
	int err;

	if (sk->unaccepted)
		return 0;
	if (sk->stream)
		return tcp_connect_repaired(sk, fd);
	if (sk->entry->state != TCP_LISTEN)
		return 0;
	if (!listen(fd, sk->entry->backlog))
		return inet_options_after_listen(fd, sk->entry);
	err = -errno;
	inet_entry_source(sk->entry, &src);
	if (err == -EADDRINUSE)
		find_holder(sk->entry, holder, sizeof(holder));
	return fail(err, "listen on %s%s", inet_address_text(&src, text), holder);
}

/* Restores the options that differ while other sockets on the port are created. */
static int restore_reuse(const struct restore *r, const struct inet_socket *sk, int fd)
{
	int err = sk->shared_port ? change_owner(r, fd, sk->entry) : 0;

	return !err && sk->shared_port && inet_is_tcp(sk->entry) ? set_reuse(fd, sk->entry->opts->reuseaddr) : err;
}

static bool has_urgent(const struct inet_socket *sk)
{
	return sk->file->owner && sk->stream && sk->stream->has_urgent;
}

int inet_open(struct restore *r, struct file *file, const void *state)
{
	const struct inet_socket *sk = state;
	const InetSkEntry *entry = sk->entry;
	_cleanup_close_ int fd = socket(entry->family, entry->type | SOCK_CLOEXEC, entry->proto);
	int err;

	if (fd < 0)
		return fail(-errno, "create a socket of family %u, type %u, protocol %u", entry->family, entry->type,
			    entry->proto);
	err = sk->shared_port ? 0 : change_owner(r, fd, entry);
	if (err)
		return err;
	inet_datagrams_restore(fd, entry);
	err = inet_options_before_bind(fd, entry);
	if (!err && sk->shared_port)
		err = set_reuse(fd, 1);
	if (!err)
		err = inet_is_tcp(entry) ? open_tcp(r, fd, sk) : open_datagram(r, fd, entry);
	/* In flight, in another socket's queue: the other steps are not called for it. */
	if (!err && !file->owner && inet_is_tcp(entry))
		err = finish_tcp(sk, fd);
	if (!err && !file->owner && sk->stream)
		err = tcp_revive(sk, fd);
	if (!err && !file->owner)
		err = restore_reuse(r, sk, fd);
	/* Receiving urgent data again would send another SIGURG. */
	if (!err && !has_urgent(sk))
		err = set_status_flags(r, fd, entry->flags, entry->fown);
	return err ? err : steal_fd(&fd);
}

int inet_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const struct inet_socket *sk = state;

	int err = inet_is_tcp(sk->entry) ? finish_tcp(sk, fd) : 0;

	return !err && has_urgent(sk) ? set_status_flags(r, fd, sk->entry->flags, sk->entry->fown) : err;
}

static int revive(struct restore *r, const struct inet_socket *sk)
{
	struct network_visit visit;
	_cleanup_close_ int fd = -1;
	int err, left;
	LOG_SCOPE("file %#x", sk->file->id);

	if (sk->unaccepted || !(sk->stream || (sk->shared_port && (inet_is_tcp(sk->entry) || sk->entry->has_uid))))
		return 0;
	fd = restore_copy_fd(r, sk->file);
	if (fd < 0)
		return fd;
	err = network_enter(r, sk->file->network, &visit);
	if (err)
		return err;
	err = sk->stream ? tcp_revive(sk, fd) : 0;
	left = network_leave(r, &visit);
	if (!err)
		err = left;
	return err ? err : restore_reuse(r, sk, fd);
}

int inet_revive_all(struct restore *r, const struct inet_restore *data)
{
	int err = 0;

	for (const struct inet_socket *sk = data->first; sk && !err; sk = sk->next)
		err = sk->file->owner ? revive(r, sk) : 0;
	for (const struct inet_socket *sk = data->first; sk && !err; sk = sk->next)
		err = inet_backlog_revive(r, sk);
	return err;
}

/*
 * What was sent while the network was locked would wait for the retransmission timer: setting the option pushes it,
 * whatever its value. tcp(7)
 */
static void push(int fd, const InetSkEntry *entry)
{
	int nodelay = entry->tcp_opts && entry->tcp_opts->nodelay, on = 1;

	if (entry->tcp_opts && entry->tcp_opts->cork)
		return;
	setsockopt(fd, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!nodelay)
		setsockopt(fd, SOL_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay));
}

void inet_push_all(struct restore *r, const struct inet_restore *data)
{
	for (const struct inet_socket *sk = data->first; sk; sk = sk->next) {
		if (sk->stream && !sk->unaccepted && sk->file->owner && sk->stream->unsq_len) {
			_cleanup_close_ int fd = restore_copy_fd(r, sk->file);

			if (fd >= 0)
				push(fd, sk->entry);
		}
	}
}
