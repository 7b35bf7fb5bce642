// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/keeper_job.h"
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "kinds/fd/inet/tcp_repair.h"

#define SO_PEEK_OFF_ 42
#ifndef TCP_INQ
#define TCP_INQ 36
#endif

static int number(int fd, int level, int name, void *ret)
{
	socklen_t len = sizeof(uint32_t);

	return getsockopt(fd, level, name, ret, &len) < 0 ? -errno : 0;
}

/* false: of TCP sockets it can be set since Linux 6.9. */
static bool set_offset(int fd, int offset)
{
	return !setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset, sizeof(offset));
}

/* -1: none, the usual case. */
static int get_offset(int fd)
{
	int offset = -1;

	return number(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset) < 0 ? -1 : offset;
}

/* Recorded first: if the keeper is killed, the dumper restores the offset. */
static void move_offset(struct keeper_job *job, int was, int to)
{
	job->offset = was;
	job->offset_moved = true;
	set_offset(job->fd, to);
}

static void restore_offset(struct keeper_job *job)
{
	set_offset(job->fd, job->offset);
	job->offset_moved = false;
}

/* From the start of the queue, whatever the program's own peek offset is. */
static int peek(struct keeper_job *job, char *to, uint32_t len)
{
	int offset = len ? get_offset(job->fd) : -1;
	ssize_t done;

	if (!len)
		return 0;
	if (offset >= 0)
		move_offset(job, offset, -1);
	done = recv(job->fd, to, len, MSG_PEEK | MSG_DONTWAIT);
	if (offset >= 0)
		restore_offset(job);
	return done == (ssize_t)len ? 0 : -ENODATA;
}

/* Peeking past the last byte would clear the error. */
static bool has_error(const struct keeper_job *job)
{
	struct pollfd p = { .fd = job->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

static void set_inq(int fd, int on)
{
	setsockopt(fd, SOL_TCP, TCP_INQ, &on, sizeof(on));
}

/* The end of the data counts as a byte, except for SIOCINQ. */
static bool has_end(const struct keeper_job *job)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return !getsockopt(job->fd, SOL_TCP, TCP_INFO, &info, &len) && tcp_got_fin(info.tcpi_state);
}

/* All bytes in the queue; SIOCINQ counts only those in front of the urgent byte. */
static ssize_t count_all(struct keeper_job *job)
{
	union {
		struct cmsghdr head;
		char room[256];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int was = 0, all = -1, err = number(job->fd, SOL_TCP, TCP_INQ, &was);
	ssize_t done;

	if (err)
		return err;
	/* Recorded first, as in move_offset(). */
	job->inq_set = !was;
	set_inq(job->fd, 1);
	done = recvmsg(job->fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	err = -errno;
	set_inq(job->fd, was);
	job->inq_set = false;
	if (done < 0)
		return err;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_TCP && c->cmsg_type == TCP_INQ)
			memcpy(&all, CMSG_DATA(c), sizeof(all));
	return all < 0 ? -ENODATA : all - has_end(job);
}

static ssize_t peek_at(struct keeper_job *job, uint32_t at)
{
	ssize_t done;

	if (!set_offset(job->fd, (int)at) && at)
		return -EOPNOTSUPP;
	done = recv(job->fd, job->in + at, job->in_len - at, MSG_PEEK | MSG_DONTWAIT);
	return done < 0 && errno == EAGAIN ? 0 : done < 0 ? -errno : done;
}

/*
 * A read stops in front of the urgent byte. The next read starts with it (SO_OOBINLINE) or after it; in the latter case
 * the byte can be read by MSG_OOB only, yet still counts as one byte. tcp(7), net/ipv4/tcp.c
 */
static ssize_t peek_behind(struct keeper_job *job, uint32_t before, bool inlined)
{
	ssize_t behind = has_error(job) ? -EBUSY : peek_at(job, before);

	/* There may be nothing to read. */
	return behind == -EOPNOTSUPP && !inlined && count_all(job) == before + 1 ? 0 : behind;
}

static int peek_around_mark(struct keeper_job *job)
{
	int inlined = 0, at_mark = 0;
	ssize_t before = 0, behind = 0;

	if (number(job->fd, SOL_SOCKET, SO_OOBINLINE, &inlined) < 0 || ioctl(job->fd, SIOCATMARK, &at_mark) < 0)
		return -errno;
	if (!at_mark)
		before = peek_at(job, 0);
	if (before < 0 || before == job->in_len)
		return before < 0 ? (int)before : -ENOBUFS;
	job->mark = before;
	job->used = before + !inlined;
	behind = peek_behind(job, before, inlined);
	if (behind < 0)
		return (int)behind;
	if (!inlined) {
		/* These bytes belong after the byte that was skipped. */
		memmove(job->in + before + 1, job->in + before, behind);
		job->in[before] = 0;
		job->mark_read = recv(job->fd, job->in + before, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) != 1;
	}
	job->used += behind;
	return job->used < job->in_len ? 0 : -ENOBUFS;
}

static int peek_urgent(struct keeper_job *job)
{
	int err;

	move_offset(job, get_offset(job->fd), 0);
	err = peek_around_mark(job);
	restore_offset(job);
	return err;
}

/*
 * The urgent byte has been read already, but the data in front of it has not: the only sign is that there is more data
 * than SIOCINQ reported.
 */
static int find_hidden_mark(struct keeper_job *job)
{
	ssize_t more, all;
	int err = 0;
	char byte;

	if (!job->in_len || has_error(job))
		return 0;
	move_offset(job, get_offset(job->fd), (int)job->in_len);
	if (get_offset(job->fd) == (int)job->in_len) {
		more = recv(job->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	} else {
		all = count_all(job);
		more = all < 0 ? 0 : all - (ssize_t)job->in_len;
		err = all < 0 ? (int)all : 0;
	}
	restore_offset(job);
	return more > 0 ? -EBUSY : err;
}

static int peek_stream(struct keeper_job *job)
{
	int err;

	if (job->urgent)
		return peek_urgent(job);
	err = peek(job, job->in, job->in_len);
	return err ? err : find_hidden_mark(job);
}

static int read_in_repair(struct keeper_job *job)
{
	socklen_t len = sizeof(job->window);
	int fd = job->fd, err = tcp_repair_queue(fd, TCP_RECV_QUEUE);

	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &job->in_seq);
	if (!err)
		err = tcp_repair_queue(fd, TCP_SEND_QUEUE);
	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &job->out_seq);
	if (!err)
		err = peek(job, job->out, job->out_len);
	if (!err)
		err = number(fd, SOL_TCP, TCP_MAXSEG, &job->mss);
	if (!err)
		err = number(fd, SOL_TCP, TCP_TIMESTAMP, &job->timestamp);
	/* Only connections that have sent and received data have a window. */
	job->has_window = !err && !getsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &job->window, &len);
	return err;
}

static int leave_repair(const struct keeper_job *job)
{
	int err = tcp_repair(job->fd, TCP_REPAIR_OFF_NO_WP);

	/* The program cannot use a connection that remains in repair mode: EPERM. */
	if (err)
		err = tcp_repair(job->fd, TCP_REPAIR_OFF_NO_WP);
	if (!err && job->reuse && setsockopt(job->fd, SOL_SOCKET, SO_REUSEADDR, &job->reuse, sizeof(job->reuse)) < 0)
		err = -errno;
	return err;
}

static int read_stream(struct keeper_job *job)
{
	int err = peek_stream(job), left;

	if (!err)
		err = tcp_repair(job->fd, TCP_REPAIR_ON);
	if (err)
		return err;
	err = read_in_repair(job);
	left = leave_repair(job);
	return err ? err : left;
}

static ssize_t read_datagram(int fd, char *to, size_t size)
{
	struct keeper_datagram head = { 0 };
	struct iovec iov = { to + sizeof(head), size - sizeof(head) };
	struct msghdr msg = {
		.msg_name = head.from, .msg_namelen = sizeof(head.from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t len = size > sizeof(head) ? recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) : -1;

	if (size <= sizeof(head) || (len >= 0 && (msg.msg_flags & MSG_TRUNC)))
		return -ENOBUFS;
	if (len < 0)
		return errno == EAGAIN ? 0 : -errno;
	head.len = len;
	head.from_len = MIN_OF(msg.msg_namelen, sizeof(head.from));
	memcpy(to, &head, sizeof(head));
	return sizeof(head) + len;
}

/* With a peek offset each peek returns the next datagram. udp(7), net/core/datagram.c */
static int read_datagrams(struct keeper_job *job)
{
	ssize_t len;

	move_offset(job, get_offset(job->fd), 0);
	do {
		len = read_datagram(job->fd, job->in + job->used, job->in_len - job->used);
		job->used += MAX_OF(len, 0);
	} while (len > 0);
	restore_offset(job);
	/* Whatever arrived after the size was queried does not fit. */
	return len == -ENOBUFS ? 0 : len;
}

int keeper_job_run(struct keeper_job *job)
{
	switch (job->what) {
	case KEEPER_STREAM:
		return read_stream(job);
	case KEEPER_BYTES:
		return peek(job, job->in, job->in_len);
	default:
		return read_datagrams(job);
	}
}

void keeper_job_undo(struct keeper_job *job)
{
	if (job->what == KEEPER_STREAM)
		leave_repair(job);
	if (job->offset_moved)
		restore_offset(job);
	if (job->inq_set)
		set_inq(job->fd, 0);
}
