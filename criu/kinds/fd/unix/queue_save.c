// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads queued packets with MSG_PEEK, which leaves them in the queue. Seeing more than the first packet needs
 * SO_PEEK_OFF, which is a property of the target's socket: it is restored at once, by the guard of the dump if we
 * cannot.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kinds/fd/unix/internal.h"
#include "run/guard.h"
#include "util/fds.h"

#define FIRST_ROOM 65536
#define SCM_MAX_FDS 253
#define SCM_PIDFD_ 4

struct queue {
	struct dump *dump;
	const struct fd_probe *probe;
	const UnixSkEntry *entry;
	char *capacity;
	size_t size;
	int was, offset; /* SO_PEEK_OFF: the original value; -1: not set by us */
	bool is_stream, nothing_more;
};

static int set_offset(struct queue *q, int offset)
{
	int err = q->offset < 0 ? guard_begin(q->dump) : 0;

	if (err)
		return err;
	if (q->offset < 0)
		guard_peek_offset(q->dump->guard, q->probe->local, q->was);
	if (setsockopt(q->probe->local, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) < 0)
		return fail(-errno, "set SO_PEEK_OFF of %s", q->probe->link);
	q->offset = offset;
	return 0;
}

static int save_rights(struct queue *q, const struct cmsghdr *c, ScmEntry *scm)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int err = 0;

	scm->type = SCM_RIGHTS;
	scm->rights = dump_alloc(q->dump, (n + 1) * sizeof(*scm->rights));
	scm->n_rights = n;
	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (!err && !scm->rights)
			err = fail(-ENOMEM, "descriptors in flight");
		/* Takes ownership of the descriptor. */
		if (!err)
			err = q->dump->in_flight_file_id(q->dump, q->probe->task, fd, &scm->rights[i]);
		else
			close(fd);
	}
	return err;
}

static int save_credentials(struct queue *q, const struct cmsghdr *c, ScmEntry *scm)
{
	struct ucred cred;

	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	scm->type = UNIX_CREDENTIALS;
	scm->rights = dump_alloc(q->dump, 3 * sizeof(*scm->rights));
	if (!scm->rights)
		return fail(-ENOMEM, "credentials in flight");
	scm->n_rights = 3;
	scm->rights[0] = (uint32_t)dump_pid_of(q->dump, cred.pid);
	scm->rights[1] = dump_uid_of(q->dump, cred.uid);
	scm->rights[2] = dump_gid_of(q->dump, cred.gid);
	return 0;
}

static int save_control(struct queue *q, struct msghdr *msg, SkPacketEntry *packet)
{
	int err = 0;

	packet->scm = dump_alloc(q->dump, 2 * sizeof(*packet->scm));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		ScmEntry *scm = dump_alloc(q->dump, sizeof(*scm));

		if (!scm || !packet->scm)
			return fail(-ENOMEM, "control message");
		if (c->cmsg_level != SOL_SOCKET || packet->n_scm == 2)
			continue;
		scm_entry__init(scm);
		if (c->cmsg_type == SCM_PIDFD_) {
			int fd;

			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			if (fd >= 0)
				close(fd);
			continue;
		}
		if (c->cmsg_type != SCM_RIGHTS && c->cmsg_type != SCM_CREDENTIALS)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			err = err ? err : save_rights(q, c, scm);
		else
			err = err ? err : save_credentials(q, c, scm);
		packet->scm[packet->n_scm++] = scm;
	}
	return err;
}

static int write_packet(struct queue *q, struct msghdr *msg, size_t len)
{
	SkPacketEntry packet = SK_PACKET_ENTRY__INIT;
	struct image_writer *img;
	int err = save_control(q, msg, &packet);

	if (!err)
		err = dump_shared_image(q->dump, IMAGE_SK_QUEUES, &img);
	if (err)
		return err;
	packet.id_for = q->entry->id;
	packet.length = len;
	if (q->entry->type == SOCK_DGRAM && msg->msg_namelen > offsetof(struct sockaddr_un, sun_path)) {
		packet.has_addr = true;
		packet.addr.data = (uint8_t *)((struct sockaddr_un *)msg->msg_name)->sun_path;
		packet.addr.len = msg->msg_namelen - offsetof(struct sockaddr_un, sun_path);
	}
	err = image_write_record(img, &packet.base);
	if (!err)
		err = image_write_raw(img, q->capacity, len);
	return err ? fail(err, "%s", image_store_error(q->dump->dir)) : 0;
}

static void drop_control(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (c->cmsg_level != SOL_SOCKET || (c->cmsg_type != SCM_RIGHTS && c->cmsg_type != SCM_PIDFD_))
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fd >= 0)
				close(fd);
		}
	}
}

static int ensure_capacity(struct queue *q, size_t size)
{
	free(q->capacity);
	q->capacity = malloc(size);
	q->size = q->capacity ? size : 0;
	return q->capacity ? 0 : fail(-ENOMEM, "%zu bytes queued in a socket", size);
}

/* The packet at @at: 1 and its length in *ret_len; 0: there is none. A packet that did not fit is read again. */
static int save_one(struct queue *q, int at, size_t *ret_len)
{
	char control[CMSG_SPACE(SCM_MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + 256]
		__attribute__((aligned(8)));
	struct sockaddr_un from;
	struct iovec iov;
	struct msghdr msg;
	ssize_t len;
	int err;

	for (;;) {
		iov = (struct iovec){ q->capacity, q->size };
		msg = (struct msghdr){ .msg_name = &from,
				       .msg_namelen = sizeof(from),
				       .msg_iov = &iov,
				       .msg_iovlen = 1,
				       .msg_control = control,
				       .msg_controllen = sizeof(control) };
		len = recvmsg(q->probe->local, &msg, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (len < 0)
			return errno == EAGAIN ? 0 : fail(-errno, "peek into the queue of %s", q->probe->link);
		if (!len && (q->is_stream || (q->entry->type == SOCK_SEQPACKET && (q->entry->shutdown & 1))))
			return 0;
		if (q->is_stream || (size_t)len <= q->size)
			break;
		drop_control(&msg);
		err = ensure_capacity(q, len);
		if (!err && q->offset >= 0)
			err = set_offset(q, at);
		if (err)
			return err;
	}
	if (msg.msg_flags & MSG_CTRUNC) {
		drop_control(&msg);
		return fail(-EOVERFLOW, "the control messages queued in %s are larger than expected", q->probe->link);
	}
	err = write_packet(q, &msg, len);
	if (err)
		return err;
	*ret_len = len;
	return 1;
}

static int save_all(struct queue *q, size_t total)
{
	size_t len, at = 0;
	int got;

	/* A stream without control messages is read in one piece and needs no offset. */
	got = q->was < 0 ? save_one(q, 0, &len) : set_offset(q, 0);
	if (got < 0)
		return got;
	if (q->was < 0) {
		if (!got || (q->is_stream && len >= total))
			return 0;
		at = len;
		got = set_offset(q, at);
		if (got < 0)
			return got;
		/* A second peek skips an empty packet that was peeked before. */
	}
	do {
		got = save_one(q, at, &len);
		if (got > 0)
			at += len;
	} while (got > 0 && !(q->is_stream && at >= total));
	return got < 0 ? got : 0;
}

/*
 * Peeking into the queue would clear the error, as sending would. From a closed peer nothing arrives but what is
 * queued.
 */
static void check_error(struct dump *dump, const struct fd_probe *probe, const UnixSkEntry *entry)
{
	struct pollfd p = { .fd = probe->local, .events = POLLIN };
	int bytes = 0;

	if ((!ioctl(probe->local, FIONREAD, &bytes) && bytes) ||
	    (!(entry->shutdown & 1) && poll(&p, 1, 0) > 0 && (p.revents & POLLIN)))
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a pending error (SO_ERROR: %s) in front of queued packets, which cannot be read without "
			"losing it; let the program query it",
			probe->link, strerror((int)entry->so_error));
}

int unix_save_queue(struct dump *dump, const struct fd_probe *probe, const UnixSkEntry *entry)
{
	struct queue q = { .dump = dump, .probe = probe, .entry = entry, .was = -1, .offset = -1 };
	socklen_t len = sizeof(q.was);
	int total = 0, err, restored;

	/* Never connected: recv(2) returns ENOTCONN; for a stream it returns EINVAL, and FIONREAD 0. */
	if (entry->type == SOCK_SEQPACKET && entry->state != UNIX_ESTABLISHED)
		return 0;
	if (entry->has_so_error && entry->type != SOCK_STREAM) {
		check_error(dump, probe, entry);
		return 0;
	}
	if (dump_is_check(dump))
		return 0;
	q.is_stream = entry->type == SOCK_STREAM;
	if (getsockopt(probe->local, SOL_SOCKET, SO_PEEK_OFF, &q.was, &len) < 0)
		return fail(-errno, "SO_PEEK_OFF of %s", probe->link);
	/* For a datagram socket it is the length of the first packet. An unconnected stream has none: EINVAL. */
	if (q.is_stream && (ioctl(probe->local, FIONREAD, &total) < 0 || !total))
		return 0;
	err = ensure_capacity(&q, q.is_stream ? (size_t)total : FIRST_ROOM);
	if (!err)
		err = save_all(&q, total);
	restored = q.offset >= 0 ? set_offset(&q, q.was) : 0;
	if (!restored && dump->guard)
		guard_peek_offset_is_back(dump->guard);
	free(q.capacity);
	return err ? err : restored;
}
