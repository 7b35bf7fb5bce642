// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket whose connect(2) has failed and whose program does not know yet: it gets the error from SO_ERROR or from its
 * next connect(2). A new connection to a peer that does not exist is started, and fails by a segment or an ICMP message
 * with a forged sender.
 */
#include "kinds/fd/inet/tcp_failed.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/errors.h"
#include "kinds/fd/inet/segment.h"
#include "kinds/fd/inet/tcp_ended.h"
#include "kinds/fd/inet/tcp_repair.h"

#define IP_LOCAL_PORT_RANGE_ 51 /* Linux 6.3 */
#define FIRST_SENT 1000u

bool tcp_can_fail_with(const InetSkEntry *entry, int error)
{
	return !error || icmp_can_report(entry, error);
}

/* The sequence number of its SYN: the message has to match it. */
static int set_first_sequence(int fd)
{
	int err = tcp_repair(fd, TCP_REPAIR_ON);

	if (!err)
		err = tcp_set_sequence(fd, TCP_SEND_QUEUE, FIRST_SENT);
	if (!err)
		err = tcp_repair(fd, TCP_REPAIR_OFF_NO_WP);
	return err;
}

static int start_connection(int fd, const InetSkEntry *entry, union inet_address *ret_peer)
{
	uint32_t range = entry->src_port | entry->src_port << 16, before = 0;
	socklen_t len = sizeof(before);
	bool ranged = !getsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE_, &before, &len) &&
		      !setsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE_, &range, sizeof(range));
	int err = tcp_connect_to_fake_peer(fd, entry->family, ret_peer);

	/* getsockname(2) shows the port; if it is in use by now, use another one. */
	if (ranged)
		setsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE_, &before, sizeof(before));
	if (ranged && err == -EADDRNOTAVAIL)
		err = tcp_connect_to_fake_peer(fd, entry->family, ret_peer);
	return err == -EINPROGRESS ? 0 : err;
}

static int fail_connection(int fd, const InetSkEntry *entry, const union inet_address *peer)
{
	union inet_address own = { 0 };
	socklen_t len = sizeof(own);
	uint32_t head[2] = { 0, htonl(FIRST_SENT) };
	int err, discarded;

	if (getsockname(fd, &own.any, &len) < 0)
		return -errno;
	head[0] = htonl((uint32_t)inet_address_port(&own) << 16 | inet_address_port(peer));
	if (!entry->error || entry->error == ECONNREFUSED)
		err = segment_send(&(struct segment){ .from = *peer, .to = own, .rst = true, .ack = FIRST_SENT + 1 });
	else
		err = icmp_send_error(
			&(struct icmp_quoted){ .own = &own, .peer = peer, .protocol = IPPROTO_TCP, .head = head },
			(int)entry->error);
	if (!err)
		err = tcp_await_state(fd, TCP_CLOSE);
	len = sizeof(discarded);
	if (!err && !entry->error)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &discarded, &len);
	return err;
}

int tcp_restore_failed(const struct inet_socket *sk, int fd)
{
	const InetSkEntry *entry = sk->entry;
	union inet_address peer;
	int flags = fcntl(fd, F_GETFL), err = tcp_filter_unmarked(fd);

	if (!err)
		err = set_first_sequence(fd);
	if (!err && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		err = -errno;
	if (!err)
		err = start_connection(fd, entry, &peer);
	if (!err)
		err = fail_connection(fd, entry, &peer);
	fcntl(fd, F_SETFL, flags);
	tcp_filter_remove(fd);
	return err ? fail(err, "restore a socket whose connect(2) failed with errno %u", entry->error) : 0;
}
