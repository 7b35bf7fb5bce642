// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections are restored in repair mode: sequence numbers, options and queues. Repair mode cannot set that the peer
 * has sent a FIN: we send it to ourselves in the peer's name (segment.c), with a mark that passes the network lock.
 */
#include "kinds/fd/inet/tcp_open.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/options_restore.h"
#include "kinds/fd/inet/segment.h"
#include "kinds/fd/inet/tcp_keys.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "kinds/fd/inet/tcp_urgent.h"
#include "kinds/fd/sockopts.h"

#define QUEUE_MAX (1u << 30)

/* ---- load ---- */

static int check_stream(const struct inet_socket *sk, const TcpStreamEntry *e, size_t left)
{
	uint32_t unsent = e->has_unsq_len ? e->unsq_len : 0;

	if (e->inq_len > QUEUE_MAX || e->outq_len > QUEUE_MAX || (uint64_t)e->inq_len + e->outq_len > left ||
	    unsent > e->outq_len)
		return fail(-EBADMSG, "tcp-stream-%x.img: is too short for its queues of %u and %u bytes",
			    sk->entry->ino, e->inq_len, e->outq_len);
	if (e->snd_wscale > 14 || (e->has_rcv_wscale && e->rcv_wscale > 14) || e->mss_clamp > UINT16_MAX ||
	    e->opt_mask > UINT8_MAX)
		return fail(-EBADMSG, "tcp-stream-%x.img: invalid connection options", sk->entry->ino);
	return tcp_urgent_check(sk, e);
}

static int load_stream(struct restore *r, struct inet_socket *sk, const TcpStreamEntry **ret_stream)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	TcpStreamEntry *e;
	const void *in, *out;
	char *copy;
	int err = image_open(r->dir, IMAGE_TCP_STREAM, sk->entry->ino, &img);

	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	err = image_need_record(img, &tcp_stream_entry__descriptor, &e);
	if (err < 0)
		return fail(err, "%s", image_error(img));
	if (arena_defer(&r->arena, image_free_record, e) < 0)
		return fail(-ENOMEM, "connection");
	err = check_stream(sk, e, image_left(img));
	if (err)
		return err;
	err = image_read_raw(img, e->inq_len, &in);
	if (!err)
		err = image_read_raw(img, e->outq_len, &out);
	if (err < 0)
		return fail(err, "%s", image_error(img));
	copy = restore_alloc(r, (size_t)e->inq_len + e->outq_len + 1);
	if (!copy)
		return fail(-ENOMEM, "queues of a connection");
	sk->inq = memcpy(copy, in, e->inq_len);
	sk->outq = memcpy(copy + e->inq_len, out, e->outq_len);
	*ret_stream = e;
	return 0;
}

static bool is_connection(const InetSkEntry *entry)
{
	return entry->state == TCP_ESTABLISHED || entry->state == TCP_SYN_SENT || tcp_sent_fin(entry->state) ||
	       tcp_got_fin(entry->state);
}

static int load_ended(struct restore *r, struct inet_socket *sk)
{
	const TcpStreamEntry *stream;
	int err;

	if (sk->entry->state != TCP_CLOSE && sk->entry->state != TCP_LISTEN)
		return fail(-EBADMSG, "files.img: file %u: a TCP socket in state %u cannot be restored", sk->file->id,
			    sk->entry->state);
	if (!sk->entry->unread)
		return 0;
	err = load_stream(r, sk, &stream);
	if (!err && (stream->inq_len != sk->entry->unread || sk->entry->state != TCP_CLOSE))
		err = fail(-EBADMSG, "tcp-stream-%x.img: is too short for %u bytes", sk->entry->ino, sk->entry->unread);
	return err;
}

int tcp_load(struct restore *r, struct inet_socket *sk)
{
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;

	if (inet_is_mptcp(sk->entry) && (is_connection(sk->entry) || sk->entry->unread || sk->entry->error ||
					 sk->entry->connect_failed || sk->entry->n_md5))
		return fail(-EBADMSG, "files.img: file %u: connections of Multipath TCP are not supported",
			    sk->file->id);
	if (!is_connection(sk->entry))
		return load_ended(r, sk);
	if (r->opts->tcp_close) {
		sk->close = true;
		return 0;
	}
	inet_entry_source(sk->entry, &from);
	inet_entry_target(sk->entry, &to);
	if (!r->opts->tcp_established)
		return fail(-EINVAL,
			    "a TCP connection from %s to %s; keep it with --tcp-established, or have it closed with "
			    "--tcp-close",
			    inet_address_text(&from, src), inet_address_text(&to, dst));
	return load_stream(r, sk, &sk->stream);
}

/* ---- finish: in repair mode ---- */

static uint32_t first_sent(const struct inet_socket *sk)
{
	return sk->stream->outq_seq - sk->stream->outq_len - tcp_sent_fin(sk->entry->state);
}

static uint32_t first_received(const struct inet_socket *sk)
{
	return sk->stream->inq_seq - sk->stream->inq_len - tcp_got_fin(sk->entry->state);
}

static int set_sequences(const struct inet_socket *sk, int fd)
{
	int err = tcp_set_sequence(fd, TCP_SEND_QUEUE, first_sent(sk));

	return err ? err : tcp_set_sequence(fd, TCP_RECV_QUEUE, first_received(sk));
}

/* Its lowest bit turns on microseconds (Linux 6.7). In images of CRIU, or of an older kernel, it is a part of the number. */
static int set_timestamp(const TcpStreamEntry *e, int fd)
{
	uint32_t value = e->timestamp;

	if (!e->has_timestamp)
		return 0;
	if (!(e->has_usec_ts && e->usec_ts) && !(e->opt_mask & TCPI_OPT_USEC_TS_))
		value += value & 1;
	return setsockopt(fd, SOL_TCP, TCP_TIMESTAMP, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_negotiated(const struct inet_socket *sk, int fd)
{
	const TcpStreamEntry *e = sk->stream;
	struct tcp_repair_opt opts[4];
	size_t n = 0;

	opts[n++] = (struct tcp_repair_opt){ TCPOPT_MAXSEG, e->mss_clamp };
	if (e->opt_mask & TCPI_OPT_WSCALE)
		opts[n++] = (struct tcp_repair_opt){ TCPOPT_WINDOW,
						     e->snd_wscale | (e->has_rcv_wscale ? e->rcv_wscale : 0) << 16 };
	if (e->opt_mask & TCPI_OPT_SACK)
		opts[n++] = (struct tcp_repair_opt){ TCPOPT_SACK_PERMITTED, 0 };
	if (e->opt_mask & TCPI_OPT_TIMESTAMPS)
		opts[n++] = (struct tcp_repair_opt){ TCPOPT_TIMESTAMP, 0 };
	if (setsockopt(fd, SOL_TCP, TCP_REPAIR_OPTIONS, opts, n * sizeof(opts[0])) < 0)
		return -errno;
	return set_timestamp(e, fd);
}

static int set_window(const struct inet_socket *sk, int fd)
{
	const TcpStreamEntry *e = sk->stream;
	struct tcp_repair_window window = {
		.snd_wl1 = e->snd_wl1,
		.snd_wnd = e->snd_wnd,
		.max_window = e->max_window,
		.rcv_wnd = e->rcv_wnd,
		/* The FIN comes later. */
		.rcv_wup = e->rcv_wup - (tcp_got_fin(sk->entry->state) && e->rcv_wup == e->inq_seq),
	};

	if (!e->has_snd_wnd || !e->has_rcv_wnd)
		return 0;
	return setsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) < 0 ? -errno : 0;
}

static int fill_queues(const struct inet_socket *sk, int fd)
{
	const TcpStreamEntry *e = sk->stream;
	int err = tcp_repair_queue(fd, TCP_RECV_QUEUE);

	if (!err)
		err = tcp_put_bytes(fd, sk->inq, e->has_urgent ? e->urgent : e->inq_len);
	if (!err)
		err = tcp_repair_queue(fd, TCP_SEND_QUEUE);
	return err ? err : tcp_urgent_put(sk, fd, 0, e->outq_len - e->unsq_len);
}

static int bind_connection(const struct inet_socket *sk, const union inet_address *src, int fd)
{
	char text[INET_TEXT_MAX];
	int err = inet_bind_as_before(fd, sk->entry, src);

	if (!err)
		return 0;
	return fail(err, "bind a connection to %s%s", inet_address_text(src, text),
		    err == -EADDRNOTAVAIL ? ": this host has no such address" : "");
}

int tcp_connect_repaired(const struct inet_socket *sk, int fd)
{
	char from[INET_TEXT_MAX], to[INET_TEXT_MAX];
	union inet_address src, dst;
	int err = tcp_repair(fd, TCP_REPAIR_ON);

	inet_entry_source(sk->entry, &src);
	inet_entry_target(sk->entry, &dst);
	if (!err) {
		err = bind_connection(sk, &src, fd);
		if (err)
			return err;
		err = set_sequences(sk, fd);
	}
	if (err)
		return fail(err, "restore a connection (TCP_REPAIR)");
	/* Its SYN is sent after everything else is set up. */
	if (sk->entry->state == TCP_SYN_SENT)
		return 0;
	sockopts_widen(fd, 2 * (sk->stream->outq_len + 65536), 2 * (sk->stream->inq_len + 65536));
	inet_address_text(&src, from);
	inet_address_text(&dst, to);
	if (connect(fd, &dst.any, inet_address_len(&dst)) < 0)
		return fail(-errno, "connect %s to %s%s", from, to,
			    errno == EADDRNOTAVAIL || errno == EADDRINUSE ? ": this connection already exists here" :
									    "");
	err = set_negotiated(sk, fd);
	if (!err)
		err = fill_queues(sk, fd);
	if (!err)
		err = tcp_urgent_receive(sk, fd, first_received(sk) + sk->stream->urgent, first_sent(sk));
	if (!err)
		err = set_window(sk, fd);
	return err ? fail(err, "restore the connection from %s to %s", from, to) : 0;
}

/* ---- ready: activation ---- */

/* @segment: fin, seq and ack; the rest is filled in from the connection. */
static int send_as_peer(const struct inet_socket *sk, int fd, struct segment segment, uint32_t expected_state)
{
	const TcpStreamEntry *e = sk->stream;
	uint32_t window = e->snd_wnd >> (e->opt_mask & TCPI_OPT_WSCALE ? e->snd_wscale : 0);
	int err;

	segment.window = MIN_OF(window, UINT16_MAX);
	inet_entry_target(sk->entry, &segment.from);
	inet_entry_source(sk->entry, &segment.to);
	err = segment_send(&segment);
	return err ? err : tcp_await_state(fd, expected_state);
}

static int close_sending(int fd)
{
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

/*
 * Queued data that was not sent yet, after the data that was: if the lock is still there it drops it, and a timer sends
 * it again.
 */
static int send_rest(const struct inet_socket *sk, int fd)
{
	const TcpStreamEntry *e = sk->stream;

	return tcp_urgent_put(sk, fd, e->outq_len - e->unsq_len, e->unsq_len);
}

static int revive_stream(const struct inet_socket *sk, int fd)
{
	const TcpStreamEntry *e = sk->stream;
	uint32_t state = sk->entry->state;
	bool rest = e->unsq_len > 0, sent_fin = tcp_sent_fin(state);
	bool keys_later = state == TCP_CLOSING || state == TCP_FIN_WAIT2;
	const struct segment fin = { .fin = true, .seq = e->inq_seq - 1, .ack = first_sent(sk) };
	const struct segment ack = { .seq = e->inq_seq, .ack = e->outq_seq };
	int err = 0;

	if (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK)
		err = send_as_peer(sk, fd, fin, TCP_CLOSE_WAIT);
	/* In repair mode a FIN counts as sent, but is not. */
	if (!err && sent_fin && !rest)
		err = close_sending(fd);
	if (!err)
		err = tcp_repair_queue(fd, TCP_NO_QUEUE);
	if (!err)
		err = tcp_repair(fd, e->has_snd_wnd ? TCP_REPAIR_OFF_NO_WP : TCP_REPAIR_OFF);
	if (!err)
		err = inet_options_restore(fd, sk->entry);
	/* The segments that we send in the peer's name are not signed. */
	if (!err && !keys_later)
		err = tcp_keys_restore(fd, sk->entry);
	if (!err)
		err = send_rest(sk, fd);
	if (!err && sent_fin && rest)
		err = close_sending(fd);
	if (!err && state == TCP_CLOSING)
		err = send_as_peer(sk, fd, fin, TCP_CLOSING);
	if (!err && state == TCP_FIN_WAIT2)
		err = send_as_peer(sk, fd, ack, TCP_FIN_WAIT2);
	if (!err && keys_later)
		err = tcp_keys_restore(fd, sk->entry);
	/* Shut down for reading by the program itself. */
	if (!err && !tcp_got_fin(state) && sk->entry->has_shutdown && (sk->entry->shutdown & SK_SHUTDOWN__READ))
		shutdown(fd, SHUT_RD);
	return err;
}

static int revive_connecting(const struct inet_socket *sk, int fd)
{
	union inet_address dst;
	int flags, err = tcp_repair(fd, TCP_REPAIR_OFF_NO_WP);

	if (!err)
		err = inet_options_restore(fd, sk->entry);
	if (!err)
		err = tcp_keys_restore(fd, sk->entry);
	inet_entry_target(sk->entry, &dst);
	flags = fcntl(fd, F_GETFL);
	if (err || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err ? err : -errno;
	if (connect(fd, &dst.any, inet_address_len(&dst)) < 0 && errno != EINPROGRESS)
		err = -errno;
	fcntl(fd, F_SETFL, flags);
	return err;
}

int tcp_revive(const struct inet_socket *sk, int fd)
{
	char src[INET_TEXT_MAX], dst[INET_TEXT_MAX];
	union inet_address from, to;
	int err = sk->entry->state == TCP_SYN_SENT ? revive_connecting(sk, fd) : revive_stream(sk, fd);

	if (!err)
		return sockopts_restore(fd, sk->entry->opts);
	inet_entry_source(sk->entry, &from);
	inet_entry_target(sk->entry, &to);
	return fail(err, "restore the connection from %s to %s to state %u", inet_address_text(&from, src),
		    inet_address_text(&to, dst), sk->entry->state);
}
