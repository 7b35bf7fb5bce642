// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates, binds and connects all sockets of a group, in one process. The accepted end of a stream is connected and
 * accepted again where its name is; a datagram socket is connected after those that connect to it, since afterwards
 * only its own peer may do so.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "kinds/fd/unix/internal.h"
#include "util/fds.h"

#define for_each_in(s, group) for (struct unix_sock *s = (group)->first; s; s = s->in_group)

static bool is_ours(const struct unix_sock *sock)
{
	return !sock->inherited && !unix_is_external(sock);
}

static int move_above(struct restore *r, int fd, int *ret_fd)
{
	int moved = fd < 0 ? fd : move_fd_above(fd, r->service_base);

	if (moved < 0) {
		cleanup_close(&fd);
		return fail(moved, "create a unix socket");
	}
	*ret_fd = moved;
	return 0;
}

static int make_one(struct restore *r, const struct unix_sock *sock, int *ret_fd)
{
	return move_above(r, unix_new_socket(r, sock), ret_fd);
}

static int make_pair(struct restore *r, const struct unix_sock *sock, int *ret_fd, int *ret_other)
{
	struct unix_self self;
	int fds[2], err = unix_become_owner(sock, &self);

	if (!err)
		err = unix_new_pair(r, sock, fds);
	unix_become_self(&self);
	if (err)
		return err;
	err = move_above(r, fds[0], ret_fd);
	if (err) {
		close(fds[1]);
		return err;
	}
	return move_above(r, fds[1], ret_other);
}

/* Its peer was closed: connect it to a socket that will be closed. */
static bool peer_is_closed(const struct unix_sock *sock)
{
	if (sock->peer)
		return false;
	if (unix_is_rpc_client(sock))
		return true;
	return sock->entry->type == SOCK_DGRAM ? sock->entry->peer_closed : sock->entry->state == UNIX_ESTABLISHED;
}

/* The error need not come from its real peer: any other socket will do. */
static int make_with_error(struct restore *r, struct unix_sock *sock)
{
	_cleanup_close_ int other = -1;
	int err = make_pair(r, sock, &sock->fd, &other);

	if (!err)
		unix_close_with_error(sock->fd, other);
	return err;
}

/* The peer of a datagram socket can only be unnamed if both were created by socketpair(2). */
static bool made_by_socketpair(const struct unix_sock *sock)
{
	const struct unix_sock *peer = sock->peer;

	if (!peer || !is_ours(peer) || peer == sock)
		return false;
	if (sock->entry->type == SOCK_DGRAM)
		return !peer->key;
	return unix_is_pair(sock) && !sock->key && !peer->key;
}

static int make_sockets(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for_each_in(s, group)
	{
		if (err || s->fd >= 0 || !is_ours(s) || !made_by_socketpair(s))
			continue;
		if (s->peer->fd >= 0)
			return fail(-EBADMSG, "socket:[%u] has no name, yet two sockets are connected to it",
				    s->peer->entry->ino);
		err = make_pair(r, s, &s->fd, &s->peer->fd);
		s->connected = true;
		s->peer->connected = unix_is_pair(s);
	}
	for_each_in(s, group)
	{
		if (err || s->fd >= 0 || !is_ours(s) || s->inherits_name)
			continue;
		if (peer_is_closed(s)) {
			err = make_pair(r, s, &s->fd, &s->placeholder);
			s->connected = true;
		} else if (s->entry->so_error && s->entry->type == SOCK_DGRAM) {
			err = make_with_error(r, s);
		} else {
			err = make_one(r, s, &s->fd);
		}
	}
	return err;
}

static size_t count_pending(const struct unix_sock *listener)
{
	size_t n = 0;

	for_each_in(s, listener->group) n += s->peer == listener;
	return n;
}

static int listen_at(struct unix_sock *sock, size_t backlog)
{
	struct unix_self self;
	int err = unix_become_owner(sock, &self);

	if (!err && listen(sock->fd, MIN_OF(backlog, (size_t)INT32_MAX)) < 0)
		err = fail(-errno, "listen on a unix socket");
	unix_become_self(&self);
	return err;
}

static int bind_names(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for_each_in(s, group)
	{
		LOG_SCOPE("socket:[%u]", s->entry->ino);

		if (err || !is_ours(s) || !s->key || s->inherits_name)
			continue;
		err = unix_bind(r, s, s->fd, s->entry->deleted);
		if (!err && s->entry->state == UNIX_LISTEN)
			err = listen_at(s, MAX_OF((size_t)s->entry->backlog, count_pending(s)));
	}
	return err;
}

/* ---- accepted ends ---- */

static int accept_one(struct restore *r, struct unix_sock *sock, int listener)
{
	struct unix_sock *client = sock->peer;
	int *fd = client ? &client->fd : &sock->placeholder;
	int err = client ? 0 : make_one(r, sock, fd), accepted = -1;

	if (!err)
		err = unix_connect(r, *fd, listener, sock, client ? client : sock);
	if (!err)
		accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!err)
		err = move_above(r, accepted < 0 ? -errno : accepted, &sock->fd);
	sock->connected = true;
	if (client)
		client->connected = true;
	return err;
}

static struct unix_sock *find_listener(const struct unix_sock *sock)
{
	for_each_in(s, sock->group) if (s->entry->state == UNIX_LISTEN && unix_same_name(s, sock) &&
					s->entry->type == sock->entry->type && is_ours(s)) return s;
	return NULL;
}

static int restore_without_name(struct restore *r, struct unix_sock *sock)
{
	log_warn("socket:[%u]: its name @%.*s is in use by another program now: it is restored without a name",
		 sock->entry->ino, (int)sock->key_len - 1, sock->key + 1);
	if (!sock->peer)
		return make_pair(r, sock, &sock->fd, &sock->placeholder);
	if (sock->peer->key)
		return fail(-EADDRINUSE, "socket:[%u]: both ends have names", sock->entry->ino);
	close(steal_fd(&sock->peer->fd));
	sock->connected = sock->peer->connected = true;
	return make_pair(r, sock, &sock->fd, &sock->peer->fd);
}

/* The listening socket is closed, or outside the tree: listen for a moment at a place that nothing else can reach. */
static int accept_hidden(struct restore *r, struct unix_sock *sock)
{
	_cleanup_close_ int listener = -1;
	struct unix_self self = { 0 };
	int err = make_one(r, sock, &listener);

	if (err)
		return err;
	err = unix_bind(r, sock, listener, true);
	if (err == -EADDRINUSE && !unix_has_path(sock))
		return restore_without_name(r, sock);
	if (!err)
		err = unix_become_owner(sock, &self);
	if (!err && listen(listener, 1) < 0)
		err = fail(-errno, "listen on a unix socket");
	unix_become_self(&self);
	for_each_in(s, sock->group) if (!err && s->inherits_name && s->fd < 0 && unix_same_name(s, sock) &&
					s->entry->type == sock->entry->type) err = accept_one(r, s, listener);
	return err;
}

static int accept_all(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for_each_in(s, group)
	{
		LOG_SCOPE("socket:[%u]", s->entry->ino);
		struct unix_sock *listener;

		if (err || !is_ours(s) || !s->inherits_name || s->fd >= 0)
			continue;
		listener = find_listener(s);
		err = listener ? accept_one(r, s, listener->fd) : accept_hidden(r, s);
	}
	return err;
}

/* ---- other connections ---- */

/* CRIU's images do not record their order in the queue: sort them by age. */
static int compare_pending(const void *a, const void *b)
{
	const UnixSkEntry *x = (*(struct unix_sock *const *)a)->entry, *y = (*(struct unix_sock *const *)b)->entry;

	if (x->waiting != y->waiting)
		return x->waiting < y->waiting ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int connect_one(struct restore *r, struct unix_sock *sock)
{
	const struct unix_sock *peer = sock->peer;

	sock->connected = true;
	if (unix_is_external(peer))
		return unix_connect_external(r, peer, sock->fd, sock);
	return unix_connect(r, sock->fd, peer->fd, peer, sock);
}

/* Clients that have not been accepted yet, in their order. */
static int connect_pending(struct restore *r, struct unix_group *group)
{
	struct unix_sock **pending = calloc(group->nr, sizeof(struct unix_sock *));
	size_t n = 0;
	int err = 0;

	if (!pending)
		return fail(-ENOMEM, "unix sockets");
	for_each_in(s, group) if (is_ours(s) && s->peer && !s->connected && s->entry->type != SOCK_DGRAM) pending[n++] =
		s;
	qsort(pending, n, sizeof(*pending), compare_pending);
	for (size_t i = 0; !err && i < n; i++) {
		LOG_SCOPE("socket:[%u]", pending[i]->entry->ino);
		err = connect_one(r, pending[i]);
	}
	free(pending);
	for_each_in(s, group) if (!err && is_ours(s) && s->entry->state == UNIX_LISTEN &&
				  count_pending(s) > s->entry->backlog) err = listen_at(s, s->entry->backlog);
	return err;
}

/* Once connected, a datagram socket accepts connections from its own peer only. */
static bool has_pending_senders(const struct unix_sock *sock)
{
	for_each_in(s, sock->group) if (is_ours(s) && s->peer == sock && s != sock && s != sock->peer &&
					!s->connected) return true;
	return false;
}

static int connect_datagrams(struct restore *r, struct unix_group *group)
{
	bool progress = true;
	size_t left = 1;
	int err = 0;

	while (!err && left && progress) {
		left = 0;
		progress = false;
		for_each_in(s, group)
		{
			LOG_SCOPE("socket:[%u]", s->entry->ino);

			if (err || !is_ours(s) || !s->peer || s->connected || s->entry->type != SOCK_DGRAM)
				continue;
			if (has_pending_senders(s)) {
				left++;
				continue;
			}
			/* What others have sent must arrive first. */
			err = group->in_flight ? 0 : unix_fill_queue(r, s);
			if (!err)
				err = connect_one(r, s);
			progress = true;
		}
	}
	return err || !left ? err : fail(-EBADMSG, "%zu datagram sockets are connected in a circle", left);
}

/* One end of a socketpair(2) that is not connected any more, or will be connected to another socket later. */
static int disconnect_halves(struct unix_group *group)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	for_each_in(s, group)
	{
		if (!is_ours(s) || !made_by_socketpair(s) || unix_is_pair(s))
			continue;
		if (s->entry->so_error)
			unix_close_with_error(s->fd, s->peer->fd);
		else if (connect(s->peer->fd, &nowhere, sizeof(nowhere)) < 0)
			return fail(-errno, "disconnect a datagram socket");
	}
	return 0;
}

int unix_make_group(struct restore *r, struct unix_group *group)
{
	int err = make_sockets(r, group);

	if (!err)
		err = disconnect_halves(group);
	if (!err)
		err = bind_names(r, group);
	if (!err)
		err = accept_all(r, group);
	if (!err)
		err = connect_pending(r, group);
	return err ? err : connect_datagrams(r, group);
}
