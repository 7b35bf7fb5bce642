// SPDX-License-Identifier: GPL-2.0-only
/*
 * All sockets of a group, bound and connected, in one process. A stream's accepted end is connected and accepted anew
 * where its name is; a datagram socket is connected after those that connect to it, for then only its own peer may.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "kinds/fd/unix/internal.h"
#include "util/fds.h"

#define for_each_in(s, group) for (struct unix_sock *s = (group)->first; s; s = s->in_group)

static bool is_ours(const struct unix_sock *sock)
{
	return !sock->given && !unix_is_external(sock);
}

static int keep(struct restore *r, int fd, int *ret_fd)
{
	int moved = fd < 0 ? -errno : move_fd_above(fd, r->service_base);

	if (moved < 0) {
		cleanup_close(&fd);
		return fail(moved, "make a unix socket");
	}
	*ret_fd = moved;
	return 0;
}

static int make_one(struct restore *r, const struct unix_sock *sock, int *ret_fd)
{
	return keep(r, socket(AF_UNIX, sock->entry->type | SOCK_CLOEXEC, 0), ret_fd);
}

static int make_pair(struct restore *r, const struct unix_sock *sock, int *ret_fd, int *ret_other)
{
	int fds[2], err = unix_become_owner(sock);

	if (!err && socketpair(AF_UNIX, sock->entry->type | SOCK_CLOEXEC, 0, fds) < 0)
		err = fail(-errno, "socketpair");
	unix_become_self();
	if (err)
		return err;
	err = keep(r, fds[0], ret_fd);
	if (err) {
		close(fds[1]);
		return err;
	}
	return keep(r, fds[1], ret_other);
}

/* Its peer was closed: connected to something that will be closed. */
static bool is_widowed(const struct unix_sock *sock)
{
	if (sock->peer)
		return false;
	return sock->entry->type == SOCK_DGRAM ? sock->entry->peer_closed : sock->entry->state == UNIX_ESTABLISHED;
}

/* It need not be its peer's doing: any other socket will do. */
static int make_with_error(struct restore *r, struct unix_sock *sock)
{
	_cleanup_close_ int other = -1;
	int err = make_pair(r, sock, &sock->fd, &other);

	if (!err)
		unix_leave_with_error(sock->fd, other);
	return err;
}

/* A datagram socket without a name can only have been connected to by socketpair(2). */
static bool came_with_peer(const struct unix_sock *sock)
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
		if (err || s->fd >= 0 || !is_ours(s) || !came_with_peer(s))
			continue;
		if (s->peer->fd >= 0)
			return fail(-EBADMSG, "socket:[%u] has no name, yet two are connected to it",
				    s->peer->entry->ino);
		err = make_pair(r, s, &s->fd, &s->peer->fd);
		s->connected = true;
		s->peer->connected = unix_is_pair(s);
	}
	for_each_in(s, group)
	{
		if (err || s->fd >= 0 || !is_ours(s) || s->inherits_name)
			continue;
		if (is_widowed(s)) {
			err = make_pair(r, s, &s->fd, &s->keeper);
			s->connected = true;
		} else if (s->entry->so_error && s->entry->type == SOCK_DGRAM) {
			err = make_with_error(r, s);
		} else {
			err = make_one(r, s, &s->fd);
		}
	}
	return err;
}

static size_t count_waiting(const struct unix_sock *listener)
{
	size_t n = 0;

	for_each_in(s, listener->group) n += s->peer == listener;
	return n;
}

static int listen_at(struct unix_sock *sock, size_t backlog)
{
	int err = unix_become_owner(sock);

	if (!err && listen(sock->fd, MIN_OF(backlog, (size_t)INT32_MAX)) < 0)
		err = fail(-errno, "listen at a unix socket");
	unix_become_self();
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
			err = listen_at(s, MAX_OF((size_t)s->entry->backlog, count_waiting(s)));
	}
	return err;
}

/* ---- accepted ends ---- */

static int accept_one(struct restore *r, struct unix_sock *sock, int listener)
{
	struct unix_sock *client = sock->peer;
	int *fd = client ? &client->fd : &sock->keeper;
	int err = client ? 0 : make_one(r, sock, fd);

	if (!err)
		err = unix_connect(*fd, listener, &sock->entry->name, client ? client : sock);
	if (!err)
		err = keep(r, accept4(listener, NULL, NULL, SOCK_CLOEXEC), &sock->fd);
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

static int without_name(struct restore *r, struct unix_sock *sock)
{
	log_warn("socket:[%u]: its name @%.*s belongs to another program now: it is restored without", sock->entry->ino,
		 (int)sock->key_len - 1, sock->key + 1);
	if (!sock->peer)
		return make_pair(r, sock, &sock->fd, &sock->keeper);
	if (sock->peer->key)
		return fail(-EADDRINUSE, "socket:[%u]: both ends have names", sock->entry->ino);
	close(steal_fd(&sock->peer->fd));
	sock->connected = sock->peer->connected = true;
	return make_pair(r, sock, &sock->fd, &sock->peer->fd);
}

/* Whoever listened there is closed, or not ours: for a moment somebody listens again, where nobody else comes. */
static int accept_hidden(struct restore *r, struct unix_sock *sock)
{
	_cleanup_close_ int listener = -1;
	int err = make_one(r, sock, &listener);

	if (err)
		return err;
	err = unix_bind(r, sock, listener, true);
	if (err == -EADDRINUSE && !unix_has_path(sock))
		return without_name(r, sock);
	if (!err)
		err = unix_become_owner(sock);
	if (!err && listen(listener, 1) < 0)
		err = fail(-errno, "listen at a unix socket");
	unix_become_self();
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

/* ---- the rest of the connections ---- */

/* CRIU's images do not tell their places: of those the older is the first. */
static int compare_waiting(const void *a, const void *b)
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
	return unix_connect(sock->fd, peer->fd, &peer->entry->name, sock);
}

/* Those that wait to be accepted, in their order. */
static int connect_waiting(struct restore *r, struct unix_group *group)
{
	struct unix_sock **waiting = calloc(group->nr, sizeof(struct unix_sock *));
	size_t n = 0;
	int err = 0;

	if (!waiting)
		return fail(-ENOMEM, "unix sockets");
	for_each_in(s, group) if (is_ours(s) && s->peer && !s->connected && s->entry->type != SOCK_DGRAM) waiting[n++] =
		s;
	qsort(waiting, n, sizeof(*waiting), compare_waiting);
	for (size_t i = 0; !err && i < n; i++) {
		LOG_SCOPE("socket:[%u]", waiting[i]->entry->ino);
		err = connect_one(r, waiting[i]);
	}
	free(waiting);
	for_each_in(s, group) if (!err && is_ours(s) && s->entry->state == UNIX_LISTEN &&
				  count_waiting(s) > s->entry->backlog) err = listen_at(s, s->entry->backlog);
	return err;
}

/* Once connected, a datagram socket takes connections from its own peer only. */
static bool is_awaited(const struct unix_sock *sock)
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
			if (is_awaited(s)) {
				left++;
				continue;
			}
			/* What others have sent must be there before. */
			err = group->in_flight ? 0 : unix_fill_queue(r, s);
			if (!err)
				err = connect_one(r, s);
			progress = true;
		}
	}
	return err || !left ? err : fail(-EBADMSG, "%zu datagram sockets are connected in a circle", left);
}

/* The other half of a socketpair(2) that is connected to nobody now, or to somebody else later. */
static int disconnect_halves(struct unix_group *group)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	for_each_in(s, group)
	{
		if (!is_ours(s) || !came_with_peer(s) || unix_is_pair(s))
			continue;
		if (s->entry->so_error)
			unix_leave_with_error(s->fd, s->peer->fd);
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
		err = connect_waiting(r, group);
	return err ? err : connect_datagrams(r, group);
}
