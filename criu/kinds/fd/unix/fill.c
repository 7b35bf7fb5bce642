// SPDX-License-Identifier: GPL-2.0-only
/* Sends queued packets of a group's sockets again; afterwards sets whatever would have prevented that. */
#include <errno.h>
#include <unistd.h>
#include "kinds/fd/reopen.h"
#include "kinds/fd/sockopts.h"
#include "kinds/fd/unix/internal.h"
#include "util/fds.h"

#define SCM_MAX_FDS 253
#define PACKET_OVERHEAD 2048 /* upper bound of what the kernel accounts for a packet besides its data */

struct message {
	int fds[SCM_MAX_FDS];
	bool borrowed[SCM_MAX_FDS];
	size_t n;
	struct ucred cred;
	bool has_cred;
	const char *bytes;
	size_t len;
};

static void free_message(struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->borrowed[i])
			close(m->fds[i]);
	m->n = 0;
}

static int read_control(struct restore *r, const SkPacketEntry *entry, struct message *m)
{
	for (size_t i = 0; i < entry->n_scm; i++) {
		const ScmEntry *scm = entry->scm[i];

		if (scm->type == UNIX_CREDENTIALS) {
			m->has_cred = true;
			m->cred = (struct ucred){ .pid = restore_number_of(r, (pid_t)scm->rights[0]),
						  .uid = scm->rights[1],
						  .gid = scm->rights[2] };
			continue;
		}
		for (size_t j = 0; j < scm->n_rights; j++) {
			int fd = restore_borrow_fd(r, restore_file(r, scm->rights[j], "a message"), &m->borrowed[m->n]);

			if (fd < 0)
				return fd;
			m->fds[m->n++] = fd;
		}
	}
	return 0;
}

static void add_control(struct msghdr *msg, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)msg->msg_control + msg->msg_controllen);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

/* 0, or -errno without a message: the caller may have an alternative. */
static int send_message(int fd, const struct unix_target *to, struct message *m, bool stream)
{
	char control[CMSG_SPACE(sizeof(m->fds)) + CMSG_SPACE(sizeof(m->cred))] __attribute__((aligned(8))) = { 0 };
	size_t at = 0;

	do {
		struct iovec iov = { (char *)m->bytes + at, m->len - at };
		struct msghdr msg = { .msg_name = to->len ? (void *)&to->addr : NULL,
				      .msg_namelen = to->len,
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control };
		ssize_t sent;

		if (m->n && !at)
			add_control(&msg, SCM_RIGHTS, m->fds, m->n * sizeof(int));
		if (m->has_cred)
			add_control(&msg, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
		sent = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* The sender is gone, or we may not send its credentials: send it with our own. unix(7) */
		if (sent < 0 && m->has_cred && (errno == ESRCH || errno == EPERM)) {
			m->has_cred = false;
			continue;
		}
		if (sent < 0)
			return -errno;
		at += sent;
		if (!stream)
			break;
	} while (at < m->len);
	return 0;
}

/* ---- senders ---- */

static bool has_name(const struct unix_sock *sock, const SkPacketEntry *packet)
{
	return packet->addr.len && sock->entry->name.len == packet->addr.len &&
	       !memcmp(sock->entry->name.data, packet->addr.data, packet->addr.len);
}

/* The name of a sender that is gone. Only the receiver sees it, so a failure is not fatal. */
static void bind_sender(struct restore *r, const SkPacketEntry *packet, int fd)
{
	UnixSkEntry entry = UNIX_SK_ENTRY__INIT;
	struct unix_sock sock = { .entry = &entry };
	struct sockaddr_un now;
	socklen_t len = sizeof(now);

	if (!packet->addr.len || getsockname(fd, (struct sockaddr *)&now, &len) < 0 ||
	    len > offsetof(struct sockaddr_un, sun_path))
		return;
	entry.name = packet->addr;
	sock.key = (const char *)packet->addr.data;
	sock.key_len = packet->addr.len;
	if (unix_bind(r, &sock, fd, true) < 0)
		log_warn("a datagram is restored without its sender's address");
}

/*
 * A sender that is not connected (the destination is given with each packet), bound to the name of the sender of
 * @packet.
 */
static int make_sender(struct restore *r, const struct unix_sock *sock, const SkPacketEntry *packet, int *ret_fd)
{
	int fd = unix_new_socket(r, sock);

	if (fd < 0)
		return fail(fd, "create a unix socket");
	bind_sender(r, packet, fd);
	*ret_fd = fd;
	return 0;
}

/* A socket that may send to @sock, preferably the original sender. -1: there is none. */
static int find_sender(struct restore *r, const struct unix_sock *sock, const SkPacketEntry *packet)
{
	int other = -1;

	if (unix_is_pair(sock))
		return sock->peer->fd;
	if (unix_is_pending(sock))
		return sock->fd;
	if (sock->placeholder >= 0) {
		if (sock->entry->type == SOCK_DGRAM)
			bind_sender(r, packet, sock->placeholder);
		return sock->placeholder;
	}
	for (struct unix_sock *s = sock->group->first; s; s = s->in_group) {
		if (s->fd < 0 || s->entry->type != sock->entry->type || s->entry->state == UNIX_LISTEN)
			continue;
		if (has_name(s, packet))
			return s->fd;
		if (s->peer == sock && !s->key && !packet->addr.len)
			other = s->fd;
	}
	return other;
}

static int fill_one(struct restore *r, struct unix_sock *sock, const struct unix_packet *p)
{
	_cleanup_close_ int own = -1;
	struct unix_target to = { .file = -1 };
	struct message m = { .bytes = p->bytes, .len = p->entry->length };
	int fd = find_sender(r, sock, p->entry), err = 0;

	if (fd < 0 && (sock->entry->type != SOCK_DGRAM || !sock->key))
		return fail(-EBADMSG, "sk-queues.img: packets for file %#x, which nothing can have sent to",
			    sock->file->id);
	if (fd < 0) {
		err = make_sender(r, sock, p->entry, &own);
		fd = own;
	}
	if (!err && sock->entry->type == SOCK_DGRAM && sock->key)
		err = unix_find_target(r, sock->fd, sock, &to);
	if (!err)
		err = read_control(r, p->entry, &m);
	if (!err) {
		sockopts_widen(fd, sock->queue->bytes * 2 + sock->queue->nr * PACKET_OVERHEAD, 0);
		err = send_message(fd, &to, &m, sock->entry->type == SOCK_STREAM);
		if (err)
			fail(err, "restore %u queued bytes", p->entry->length);
	}
	free_message(&m);
	cleanup_close(&to.file);
	return err;
}

int unix_fill_queue(struct restore *r, struct unix_sock *sock)
{
	int err = 0;

	if (sock->filled)
		return 0;
	sock->filled = true;
	for (const struct unix_packet *p = sock->queue ? sock->queue->first : NULL; p && !err; p = p->next)
		err = fill_one(r, sock, p);
	return err;
}

/* ---- the last steps ---- */

/*
 * The error that a datagram socket gets when its peer is closed with unread data. net/unix/af_unix.c
 * unix_dgram_disconnected
 */
void unix_close_with_error(int fd, int other)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	if (send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1 || connect(other, &nowhere, sizeof(nowhere)) < 0)
		log_warn("the pending error of a unix socket (ECONNRESET) is lost: errno %d", errno);
}

/* A stream whose peer is closed with unread data gets ECONNRESET. */
static void close_placeholder(struct unix_sock *sock)
{
	if (sock->placeholder < 0)
		return;
	if (sock->entry->so_error && sock->entry->type == SOCK_DGRAM)
		unix_close_with_error(sock->fd, sock->placeholder);
	else if (sock->entry->so_error && send(sock->fd, "", 1, MSG_NOSIGNAL) < 0)
		log_debug("socket:[%u]: its pending error is lost: %m", sock->entry->ino);
	close(steal_fd(&sock->placeholder));
}

static int settle(struct restore *r, struct unix_sock *sock)
{
	static const int how[] = { 0, SHUT_RD, SHUT_WR, SHUT_RDWR };
	int err = 0;

	/* A closed peer has shut down both directions already. */
	if (sock->entry->has_shutdown && sock->entry->shutdown && shutdown(sock->fd, how[sock->entry->shutdown]) < 0 &&
	    errno != ENOTCONN)
		err = fail(-errno, "shut down");
	if (!err)
		err = sockopts_restore(sock->fd, sock->entry->opts);
	return err ? err : set_status_flags(r, sock->fd, sock->entry->flags, sock->entry->fown);
}

int unix_fill_group(struct restore *r, struct unix_group *group)
{
	int err = 0;

	for (struct unix_sock *s = group->first; s && !err; s = s->in_group) {
		LOG_SCOPE("socket:[%u]", s->entry->ino);

		if (s->fd >= 0)
			err = unix_fill_queue(r, s);
		if (s->fd >= 0 && !err)
			err = unix_answer_client(s);
	}
	for (struct unix_sock *s = group->first; s && !err; s = s->in_group) {
		LOG_SCOPE("socket:[%u]", s->entry->ino);

		if (s->fd < 0)
			continue;
		close_placeholder(s);
		if (s->entry->gone)
			close(steal_fd(&s->fd));
		else
			err = settle(r, s);
	}
	group->filled = true;
	return err;
}
