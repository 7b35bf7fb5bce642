// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ended connection with unread data, or with an error that its program has not seen: only a real connection can end
 * so. One is created with a peer that does not exist, gets the data, and is ended by segments with a forged sender.
 */
#include "kinds/fd/inet/tcp_ended.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/segment.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "kinds/fd/sockopts.h"
#include "netfilter/nft_lock.h"

#define PEER_PORT 9 /* discard: the first one tried */
#define PEER_PORTS 1000
#define FIRST_SENT 1000u /* arbitrary */
#define FIRST_RECEIVED 2000000u
#define WINDOW 65535u

/*
 * Acknowledgements go to a peer that does not exist. A filter lets only marked segments reach the socket, so the
 * kernel's answers to them do not.
 */
int tcp_filter_unmarked(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFT_LOCK_MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

void tcp_filter_remove(int fd)
{
	int none = 0;

	setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
}

int tcp_connect_to_fake_peer(int fd, int family, union inet_address *ret_peer)
{
	union inet_address peer = { .any.sa_family = family };
	int err = -EADDRNOTAVAIL;

	if (family == AF_INET)
		peer.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		peer.v6.sin6_addr = in6addr_loopback;
	for (int port = PEER_PORT; port < PEER_PORT + PEER_PORTS && err == -EADDRNOTAVAIL; port++) {
		if (family == AF_INET)
			peer.v4.sin_port = htons(port);
		else
			peer.v6.sin6_port = htons(port);
		err = connect(fd, &peer.any, inet_address_len(&peer)) < 0 ? -errno : 0;
	}
	*ret_peer = peer;
	return err;
}

static int make_connection(int fd, int family, union inet_address *ret_peer)
{
	struct tcp_repair_opt sack = { TCPOPT_SACK_PERMITTED, 0 };
	int err = tcp_repair(fd, TCP_REPAIR_ON);

	if (!err)
		err = tcp_set_sequence(fd, TCP_SEND_QUEUE, FIRST_SENT);
	if (!err)
		err = tcp_set_sequence(fd, TCP_RECV_QUEUE, FIRST_RECEIVED);
	if (!err)
		err = tcp_connect_to_fake_peer(fd, family, ret_peer);
	/* A mark that it was once connected: the next dump looks for it. */
	if (!err && setsockopt(fd, SOL_TCP, TCP_REPAIR_OPTIONS, &sack, sizeof(sack)) < 0)
		err = -errno;
	return err;
}

/* Opens the window at the end of the received data, so that the segments are in it. */
static int open_window(int fd, uint32_t received)
{
	struct tcp_repair_window window = {
		.snd_wl1 = received, .snd_wnd = WINDOW, .max_window = WINDOW, .rcv_wnd = WINDOW, .rcv_wup = received
	};

	return setsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) < 0 ? -errno : 0;
}

static int reset_connection(int fd, struct segment *segment)
{
	int err;

	segment->fin = false;
	segment->rst = true;
	err = segment_send(segment);
	return err ? err : tcp_await_state(fd, TCP_CLOSE);
}

/* A reset alone gives ECONNRESET, one after the peer's FIN gives EPIPE. net/ipv4/tcp_input.c tcp_reset */
static int end_connection(int fd, struct segment *segment, int error)
{
	int err;

	if (error && error != EPIPE)
		return reset_connection(fd, segment);
	segment->fin = true;
	err = segment_send(segment);
	if (!err)
		err = tcp_await_state(fd, TCP_CLOSE_WAIT);
	if (!err && error) {
		segment->seq++;
		err = reset_connection(fd, segment);
	}
	if (err || error)
		return err;
	/* Our own FIN: in repair mode it counts as sent. */
	err = tcp_repair_queue(fd, TCP_SEND_QUEUE);
	if (!err && shutdown(fd, SHUT_WR) < 0)
		err = -errno;
	segment->fin = false;
	segment->seq++;
	segment->ack++;
	if (!err)
		err = segment_send(segment);
	return err ? err : tcp_await_state(fd, TCP_CLOSE);
}

int tcp_restore_ended(const struct inet_socket *sk, int fd)
{
	uint32_t len = sk->entry->unread, received = FIRST_RECEIVED + len;
	struct segment segment = { .seq = received, .ack = FIRST_SENT, .window = UINT16_MAX };
	socklen_t size = sizeof(segment.to);
	int err;

	sockopts_widen(fd, 0, 2 * (len + 65536));
	err = tcp_filter_unmarked(fd);
	if (!err)
		err = make_connection(fd, sk->entry->family, &segment.from);
	if (!err)
		err = tcp_repair_queue(fd, TCP_RECV_QUEUE);
	if (!err)
		err = tcp_put_bytes(fd, sk->inq, len);
	if (!err)
		err = open_window(fd, received);
	if (!err && getsockname(fd, &segment.to.any, &size) < 0)
		err = -errno;
	if (!err)
		err = end_connection(fd, &segment, (int)sk->entry->error);
	if (!err)
		err = tcp_repair(fd, TCP_REPAIR_OFF_NO_WP);
	tcp_filter_remove(fd);
	return err ? fail(err, "restore an ended connection with %u bytes to read", len) : 0;
}
