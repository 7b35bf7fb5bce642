// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that have not been accepted yet. The only way into the accept queue of a listening socket is to connect
 * to it, so clients in the tree connect again, in the same order, and send again what they have sent.
 */
#include "kinds/fd/inet/backlog.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/options_restore.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "kinds/fd/sockopts.h"
#include "kmem/pending.h"
#include "netlink/inet_diag.h"
#include "util/fds.h"

#define CONNECT_WAIT_MS 10000

/* ---- dump ---- */

int inet_backlog_note(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, uint32_t waiting,
		      bool left_out)
{
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_listener *l = dump_alloc(dump, sizeof(*l));

	if (!l || !data)
		return fail(-ENOMEM, "listening socket");
	*l = (struct inet_listener){ .next = data->listeners,
				     .entry = entry,
				     .task = probe->task,
				     .fd = probe->fd,
				     .local = -1,
				     .link = dump_strdup(dump, probe->link),
				     .waiting = waiting,
				     .left_out = left_out };
	if (!dump_is_check(dump))
		l->local = dup_fd_above(probe->local, 3);
	if (!l->link || (l->local < 0 && !dump_is_check(dump)))
		return fail(l->link ? l->local : -ENOMEM, "copy the descriptor of a listening socket");
	data->listeners = l;
	data->nr_listeners++;
	return 0;
}

static void refuse(struct dump *dump, const struct inet_listener *l, const char *from, const char *why)
{
	char text[INET_TEXT_MAX];
	union inet_address address;

	inet_entry_source(l->entry, &address);
	dump_blocker(
		dump, l->task, l->fd,
		"%s: %u connection(s) to %s are not accepted yet, and only the program can accept them%s%s%s%s; dump "
		"after it has accepted them, or leave them out with --skip-in-flight",
		l->link, l->waiting, inet_address_text(&address, text), *from ? " (from " : "", from, *from ? ": " : "",
		why);
}

static void set_address(union inet_address *to, int family, const void *bytes, uint16_t port)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = family;
	if (family == AF_INET) {
		to->v4.sin_port = port;
		memcpy(&to->v4.sin_addr, bytes, 4);
	} else {
		to->v6.sin6_port = port;
		memcpy(&to->v6.sin6_addr, bytes, 16);
	}
}

static struct inet_held *client_of(const struct inet_dump *data, const union inet_address *server,
				   const union inet_address *client)
{
	for (struct inet_held *held = data->first; held; held = held->next)
		if (held->what == KEEPER_STREAM && inet_address_same(&held->src, client) &&
		    inet_address_same(&held->dst, server))
			return held;
	return NULL;
}

/*
 * The server has read nothing yet of what the client has sent; what the server has acknowledged is no longer in the
 * client's queue.
 */
static int save_sent(struct dump *dump, struct inet_held *client, const struct pending_connection *c)
{
	client->sent = dump_alloc(dump, c->bytes.len + 1);
	if (!client->sent)
		return fail(-ENOMEM, "data of a connection");
	if (c->bytes.len)
		memcpy(client->sent, c->bytes.data, c->bytes.len);
	client->sent_len = c->bytes.len;
	client->unaccepted = true;
	return 0;
}

static int save_one(struct dump *dump, const struct inet_dump *data, struct inet_listener *l,
		    const struct pending_connection *c)
{
	union inet_address server, remote;
	struct inet_held *client;
	char text[INET_TEXT_MAX];

	set_address(&server, c->family, &c->local, c->local_port);
	set_address(&remote, c->family, &c->remote, c->remote_port);
	inet_address_text(&remote, text);
	client = client_of(data, &server, &remote);
	if (!client)
		return refuse(dump, l, text, "not in this tree)"), 0;
	if (c->urgent || tcp_got_fin(client->entry->state))
		return refuse(dump, l, text, "urgent data, or closed)"), 0;
	l->entry->waiting[l->entry->n_waiting++] = client->entry->id;
	return save_sent(dump, client, c);
}

static int save_listener(struct dump *dump, struct inet_dump *data, struct pending_reader *reader,
			 struct inet_listener *l)
{
	struct pending_connections all = { 0 };
	const struct pending_connection *c;
	int err = pending_tcp(reader, l->local, &all);

	if (err < 0)
		refuse(dump, l, "", "");
	l->entry->waiting = dump_alloc(dump, all.n * sizeof(uint32_t) + 1);
	err = l->entry->waiting ? 0 : fail(-ENOMEM, "listening socket");
	array_for_each(c, &all)
		if (!err)
			err = save_one(dump, data, l, c);
	pending_free(&all);
	return err;
}

/* The tree is running: only the clients' addresses are queried, not what they have sent. */
static void check_listener(struct dump *dump, struct inet_dump *data, const struct inet_listener *l)
{
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;
	char text[INET_TEXT_MAX];
	bool refused = false;

	inet_diag_read(l->entry->family, IPPROTO_TCP, BIT(TCP_ESTABLISHED) | BIT(TCP_CLOSE_WAIT), l->entry->src_port,
		       &all);
	array_for_each(sk, &all) {
		union inet_address server, remote;

		set_address(&server, sk->family, sk->src, htons(sk->src_port));
		set_address(&remote, sk->family, sk->dst, htons(sk->dst_port));
		if (sk->ino || refused || client_of(data, &server, &remote))
			continue;
		refuse(dump, l, inet_address_text(&remote, text), "not in this tree)");
		refused = true;
	}
	array_free(&all);
}

/* More may have arrived between the first look and the network lock. */
static uint32_t count_unaccepted(const struct inet_listener *l)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (l->local < 0 || getsockopt(l->local, SOL_TCP, TCP_INFO, &info, &len) < 0)
		return l->waiting;
	return info.tcpi_unacked;
}

static int save_unaccepted(struct dump *dump, struct inet_dump *data, struct pending_reader **reader,
			   struct inet_listener *l)
{
	l->waiting = l->left_out ? 0 : count_unaccepted(l);
	if (!l->waiting)
		return 0;
	/* The accept queue of an MPTCP socket belongs to a TCP socket inside it. */
	if (inet_is_mptcp(l->entry))
		return refuse(dump, l, "", ""), 0;
	if (dump_is_check(dump))
		return check_listener(dump, data, l), 0;
	if (!*reader && pending_open(reader) < 0)
		*reader = NULL;
	if (!*reader)
		return refuse(dump, l, "", ""), 0;
	return save_listener(dump, data, *reader, l);
}

int inet_backlog_save(struct dump *dump, struct inet_dump *data)
{
	_cleanup_pending_ struct pending_reader *reader = NULL;
	int err = 0;

	for (struct inet_listener *l = data->listeners; l && !err; l = l->next)
		err = save_unaccepted(dump, data, &reader, l);
	return err;
}

void inet_backlog_close(struct inet_dump *data)
{
	for (struct inet_listener *l = data->listeners; l; l = l->next)
		if (l->local >= 0)
			close(steal_fd(&l->local));
}

/* ---- restore ---- */

int inet_backlog_link(struct restore *r, struct file *file, struct inet_socket *sk)
{
	const InetSkEntry *entry = sk->entry;

	if (!entry->n_waiting || r->opts->tcp_close)
		return 0;
	if (entry->state != TCP_LISTEN)
		return fail(-EBADMSG, "files.img: file %#x: has connections to accept, but is not a listening socket",
			    file->id);
	sk->waiting = restore_alloc(r, entry->n_waiting * sizeof(*sk->waiting));
	if (!sk->waiting)
		return fail(-ENOMEM, "listening socket");
	for (size_t i = 0; i < entry->n_waiting; i++) {
		struct file *other = restore_file(r, entry->waiting[i], "files.img: a listening socket");
		struct inet_socket *client = other ? other->state : NULL;

		if (!other)
			return -EBADMSG;
		if (other->kind != file->kind || !client->stream || client->unaccepted ||
		    tcp_got_fin(client->entry->state) || client->stream->inq_len || !other->owner || !file->owner)
			return fail(-EBADMSG,
				    "files.img: file %#x: the connection of file %#x cannot be in its accept "
				    "queue",
				    file->id, other->id);
		client->unaccepted = true;
		sk->waiting[i] = client;
	}
	return 0;
}

static int await_connection(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);

	if (poll(&p, 1, CONNECT_WAIT_MS) < 1)
		return -ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

static int connect_again(const struct inet_socket *client, int fd)
{
	union inet_address src, dst;
	int on = 1, err = 0;

	inet_entry_source(client->entry, &src);
	inet_entry_target(client->entry, &dst);
	sockopts_widen(fd, 2 * (client->stream->outq_len + 65536), 0);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, &src.any, inet_address_len(&src)) < 0)
		return -errno;
	if (connect(fd, &dst.any, inet_address_len(&dst)) < 0)
		err = errno == EINPROGRESS ? await_connection(fd) : -errno;
	return err;
}

static int revive_client(const struct inet_socket *client, int fd)
{
	const InetSkEntry *entry = client->entry;
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;
	int reuse = entry->opts->reuseaddr, err = connect_again(client, fd);

	if (!err)
		err = inet_options_restore(fd, entry);
	if (!err)
		err = tcp_put_bytes(fd, client->outq, client->stream->outq_len);
	if (!err && tcp_sent_fin(entry->state) && shutdown(fd, SHUT_WR) < 0)
		err = -errno;
	if (!err && entry->has_shutdown && (entry->shutdown & SK_SHUTDOWN__READ))
		shutdown(fd, SHUT_RD);
	if (!err && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0)
		err = -errno;
	if (!err)
		return sockopts_restore(fd, entry->opts);
	inet_entry_source(entry, &from);
	inet_entry_target(entry, &to);
	return fail(err, "connect %s to %s again (it had not been accepted yet)", inet_address_text(&from, src),
		    inet_address_text(&to, dst));
}

int inet_backlog_revive(struct restore *r, const struct inet_socket *listener)
{
	int err = 0;

	for (size_t i = 0; listener->waiting && i < listener->entry->n_waiting && !err; i++) {
		_cleanup_close_ int fd = restore_copy_fd(r, listener->waiting[i]->file);

		err = fd < 0 ? fd : revive_client(listener->waiting[i], fd);
	}
	return err;
}
