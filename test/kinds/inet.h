/* SPDX-License-Identifier: GPL-2.0-only */
/* Shorthands for internet sockets: each succeeds, or the test ends. */
#ifndef TEST_INET_H
#define TEST_INET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "checkpoint.h"

union inet_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t inet_name(union inet_name *to, int family, const char *host, int port)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = family;
	if (family == AF_INET) {
		to->v4.sin_port = htons(port);
		need(inet_pton(AF_INET, host, &to->v4.sin_addr) == 1, "address %s", host);
		return sizeof(to->v4);
	}
	to->v6.sin6_port = htons(port);
	need(inet_pton(AF_INET6, host, &to->v6.sin6_addr) == 1, "address %s", host);
	return sizeof(to->v6);
}

static inline int inet_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	need(fd >= 0, "socket(%d, %d, %d): %s", family, type, protocol, strerror(errno));
	return fd;
}

static inline void inet_bind(int fd, int family, const char *host, int port)
{
	union inet_name name;
	socklen_t len = inet_name(&name, family, host, port);

	need(!bind(fd, &name.any, len), "bind to %s:%d: %s", host, port, strerror(errno));
}

/* As connect(2). */
static inline int inet_connect(int fd, int family, const char *host, int port)
{
	union inet_name name;
	socklen_t len = inet_name(&name, family, host, port);

	return connect(fd, &name.any, len);
}

static inline int inet_port(int fd)
{
	union inet_name name = { 0 };
	socklen_t len = sizeof(name);

	if (getsockname(fd, &name.any, &len) < 0)
		return -1;
	return ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port);
}

static inline void inet_set(int fd, int level, int name, int value)
{
	need(!setsockopt(fd, level, name, &value, sizeof(value)), "option %d of level %d: %s", name, level,
	     strerror(errno));
}

static inline int inet_get(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

static inline int inet_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? -1 : info.tcpi_state;
}

#endif
