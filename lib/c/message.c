// SPDX-License-Identifier: LGPL-2.1-only
/* Requests and answers on the wire: a packet each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "internal.h"

/* No answer is that long; what claims to be is no answer. */
#define ANSWER_MAX (16UL << 20)

int message_send(int fd, const CriuReq *req)
{
	size_t size = criu_req__get_packed_size(req);
	_cleanup_free_ uint8_t *packet = malloc(size);
	ssize_t sent;

	if (!packet)
		return -ENOMEM;
	criu_req__pack(req, packet);
	do {
		sent = send(fd, packet, size, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)size ? 0 : -ECOMM;
}

/* 0: the other end has closed the connection. */
static ssize_t next_size(int fd)
{
	char first;
	ssize_t size;

	do {
		size = recv(fd, &first, sizeof(first), MSG_PEEK | MSG_TRUNC);
	} while (size < 0 && errno == EINTR);
	return size;
}

/* The first descriptor is kept; others are unexpected, and closed. */
static void take_descriptors(struct msghdr *msg, int *ret_fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*ret_fd < 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
}

int message_receive(int fd, CriuResp **ret_resp, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	ssize_t size = next_size(fd), received;
	_cleanup_free_ uint8_t *packet = NULL;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	CriuResp *resp;

	*ret_fd = -1;
	if (size <= 0 || (size_t)size > ANSWER_MAX)
		return -ECOMM;
	packet = malloc((size_t)size);
	if (!packet)
		return -ENOMEM;
	iov = (struct iovec){ .iov_base = packet, .iov_len = (size_t)size };
	do {
		received = recvmsg(fd, &msg, 0);
	} while (received < 0 && errno == EINTR);
	if (received >= 0)
		take_descriptors(&msg, ret_fd);
	resp = received == size ? criu_resp__unpack(NULL, (size_t)size, packet) : NULL;
	if (!resp) {
		if (*ret_fd >= 0)
			close(*ret_fd);
		return -ECOMM;
	}
	*ret_resp = resp;
	return 0;
}
