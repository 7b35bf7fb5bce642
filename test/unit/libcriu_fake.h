/* SPDX-License-Identifier: GPL-2.0-only */
/* A service for tests of libcriu: its answers wait in the socket before the call, the requests are read after it. */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criu/criu.h>

struct fake {
	int service, client;
};

static inline bool fake_open(struct fake *fake)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return false;
	*fake = (struct fake){ .service = pair[0], .client = pair[1] };
	return true;
}

static inline void fake_close(const struct fake *fake)
{
	close(fake->service);
}

/* passed: a descriptor that goes with the answer, or -1. */
static inline bool fake_answer(int fd, const CriuResp *resp, int passed)
{
	uint8_t packet[4096];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = {
			      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = packet, .iov_len = criu_resp__pack(resp, packet) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(passed));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

static inline CriuResp fake_resp(CriuReqType type, bool success)
{
	CriuResp resp = CRIU_RESP__INIT;

	resp.type = type;
	resp.success = success;
	return resp;
}

/* The next request, NULL if there is none. */
static inline CriuReq *fake_request(int fd)
{
	uint8_t packet[65536];
	ssize_t size = recv(fd, packet, sizeof(packet), 0);

	if (size < 0 && errno == ECONNRESET) /* told once that answers were not read; what was sent is still there */
		size = recv(fd, packet, sizeof(packet), 0);
	return size > 0 ? criu_req__unpack(NULL, (size_t)size, packet) : NULL;
}
