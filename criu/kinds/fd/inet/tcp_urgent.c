// SPDX-License-Identifier: GPL-2.0-only
/*
 * Urgent data (MSG_OOB). Repair mode cannot put it into a receive queue: the queued data from the urgent byte on is
 * sent again, in the peer's name. Repair mode can put it into a send queue.
 */
#include "kinds/fd/inet/tcp_urgent.h"
#include <errno.h>
#include <time.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/segment.h"
#include "kinds/fd/inet/tcp_repair.h"

#define SEGMENT_MAX 32768u
#define ARRIVAL_WAIT_MS 5000

int tcp_urgent_check(const struct inet_socket *sk, const TcpStreamEntry *e)
{
	if ((e->has_urgent && e->urgent >= e->inq_len) ||
	    (e->has_urgent_sent && (!e->urgent_sent || e->urgent_sent > e->outq_len)))
		return fail(-EBADMSG, "tcp-stream-%x.img: the urgent byte is not in its queues of %u and %u bytes",
			    sk->entry->ino, e->inq_len, e->outq_len);
	return 0;
}

static int await_sequence(int fd, uint32_t seq)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < ARRIVAL_WAIT_MS; i++) {
		uint32_t now = 0;
		socklen_t len = sizeof(now);

		if (getsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &now, &len) < 0)
			return -errno;
		if (now == seq)
			return 0;
		nanosleep(&ms, NULL); /* style: there is no event */
	}
	return -ETIMEDOUT;
}

static int send_again(const struct inet_socket *sk, int fd, struct segment *s)
{
	const TcpStreamEntry *e = sk->stream;
	uint32_t first = s->seq;
	int err = 0;

	for (uint32_t at = e->urgent; at < e->inq_len && !err; at += s->len) {
		s->urgent = at == e->urgent;
		s->data = (const char *)sk->inq + at;
		s->len = MIN_OF(e->inq_len - at, SEGMENT_MAX);
		s->seq = first + (at - e->urgent);
		err = segment_send(s);
		if (!err)
			err = await_sequence(fd, s->seq + s->len);
	}
	return err;
}

int tcp_urgent_receive(const struct inet_socket *sk, int fd, uint32_t seq, uint32_t ack)
{
	const TcpStreamEntry *e = sk->stream;
	uint32_t len = e->has_urgent ? e->inq_len - e->urgent : 0;
	struct tcp_repair_window window = { .snd_wl1 = seq - 1,
					    .snd_wnd = UINT16_MAX,
					    .max_window = UINT16_MAX,
					    .rcv_wnd = len + UINT16_MAX,
					    .rcv_wup = seq };
	struct segment s = { .seq = seq, .ack = ack, .window = UINT16_MAX };
	char byte;
	int err;

	if (!e->has_urgent)
		return 0;
	inet_entry_target(sk->entry, &s.from);
	inet_entry_source(sk->entry, &s.to);
	err = setsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) < 0 ? -errno : 0;
	if (!err)
		err = tcp_repair_queue(fd, TCP_RECV_QUEUE);
	if (!err)
		err = send_again(sk, fd, &s);
	if (!err && e->urgent_read && recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT) != 1)
		err = -errno;
	return err;
}

int tcp_urgent_put(const struct inet_socket *sk, int fd, uint32_t from, uint32_t len)
{
	const TcpStreamEntry *e = sk->stream;
	const char *bytes = sk->outq;
	uint32_t urgent = e->has_urgent_sent ? e->urgent_sent - 1 : UINT32_MAX;
	int err;

	if (urgent < from || urgent - from >= len)
		return tcp_put_bytes(fd, bytes + from, len);
	err = tcp_put_bytes(fd, bytes + from, urgent - from);
	if (!err && send(fd, bytes + urgent, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		err = -errno;
	return err ? err : tcp_put_bytes(fd, bytes + urgent + 1, from + len - urgent - 1);
}
