// SPDX-License-Identifier: GPL-2.0-only
#include "service/wire.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "run/interrupt.h"
#include "run/stats.h"

/* Clients read up to 8 KiB without looking whether there was more. */
#define RESPONSE_MAX 8192
/* A client that does not read its responses for so long is given up. */
#define SEND_TIMEOUT_MS 30000
/* How often pending signals are checked: they are blocked during a run. */
#define SIGNAL_CHECK_MS 200

int wire_check(int sock)
{
	socklen_t len = sizeof(int);
	int type;

	if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	return type == SOCK_SEQPACKET || type == SOCK_DGRAM ? 0 : -ESOCKTNOSUPPORT;
}

static bool signal_is_pending(void)
{
	sigset_t ours, pending, both;

	interrupt_signals(&ours);
	sigpending(&pending);
	sigandset(&both, &ours, &pending);
	return !sigisemptyset(&both);
}

/* poll(2) for @events. */
static int await(int sock, short events, int timeout_ms)
{
	const uint64_t end = stats_now() + (uint64_t)timeout_ms * 1000;

	for (;;) {
		struct pollfd poll_fd = { .fd = sock, .events = events };
		uint64_t now = stats_now();
		uint64_t left = timeout_ms < 0 ? SIGNAL_CHECK_MS : now >= end ? 0 : (end - now) / 1000 + 1;
		int got = poll(&poll_fd, 1, (int)MIN_OF(left, (uint64_t)SIGNAL_CHECK_MS));

		if (got > 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (signal_is_pending())
			return -EINTR;
		if (left == 0)
			return -ETIMEDOUT;
	}
}

/* The length of the next packet, which stays in the queue. */
static ssize_t next_length(int sock)
{
	ssize_t len;

	do
		len = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : len;
}

/* Descriptors that come with it are dropped by the kernel, as there is no space for them. */
static ssize_t receive_packet(int sock, void *to, size_t len)
{
	ssize_t got;

	do
		got = recv(sock, to, len, MSG_TRUNC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return (size_t)got > len ? -EMSGSIZE : got;
}

static int take_request(int sock, CriuReq **ret_req)
{
	ssize_t len = next_length(sock);
	_cleanup_free_ unsigned char *packet = NULL;
	char one;

	if (len < 0)
		return (int)len;
	if ((size_t)len > WIRE_REQUEST_MAX) {
		receive_packet(sock, &one, sizeof(one)); /* removes it */
		return -EMSGSIZE;
	}
	packet = malloc((size_t)len + 1);
	if (!packet)
		return -ENOMEM;
	len = receive_packet(sock, packet, (size_t)len + 1);
	if (len <= 0) /* an empty packet is no request either */
		return len < 0 ? (int)len : -ENODATA;
	*ret_req = criu_req__unpack(NULL, (size_t)len, packet);
	return *ret_req ? 0 : -EBADMSG;
}

int wire_receive(int sock, int timeout_ms, CriuReq **ret_req)
{
	int err;

	do {
		err = await(sock, POLLIN, timeout_ms);
		if (!err)
			err = take_request(sock, ret_req);
	} while (err == -EAGAIN);
	return err == -ECONNRESET || err == -ENOTCONN ? -ENODATA : err;
}

static int send_packet(int sock, void *packet, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = packet, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int err;

	if (fd >= 0) {
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	for (;;) {
		if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		err = await(sock, POLLOUT, SEND_TIMEOUT_MS);
		if (err)
			return err;
	}
}

int wire_send(int sock, const CriuResp *resp, int fd)
{
	unsigned char packet[RESPONSE_MAX];
	size_t len = criu_resp__get_packed_size(resp);

	if (len > sizeof(packet))
		return -EMSGSIZE;
	criu_resp__pack(resp, packet);
	return send_packet(sock, packet, len, fd);
}
