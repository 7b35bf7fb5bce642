// SPDX-License-Identifier: GPL-2.0-only
#include "transport/addresses.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/log.h"

#define CONNECT_TIMEOUT_MS 10000

static void free_list(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}
#define _cleanup_addresses_ __attribute__((cleanup(free_list)))

static int resolve(const char *host, uint16_t port, int flags, struct addrinfo **ret)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	char service[8];
	int code;

	snprintf(service, sizeof(service), "%u", port);
	code = getaddrinfo(host, service, &hints, ret);
	if (!code)
		return 0;
	*ret = NULL;
	if (code == EAI_SYSTEM)
		return fail(-errno, "look up the address %s", host);
	return fail(-EADDRNOTAVAIL, "the address %s: %s", host, gai_strerror(code));
}

/* connect(2) with a limit. */
static int connect_within(int fd, const struct addrinfo *to, int stop_fd)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = stop_fd, .events = POLLIN } };
	int error = 0, n;

	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	do
		n = poll(fds, 2, CONNECT_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	if (fds[1].revents & POLLIN)
		return -EINTR;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) }) < 0)
		return -errno;
	return -error;
}

static int connect_to(const struct addrinfo *to, int stop_fd, struct connection *ret)
{
	_cleanup_close_ int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = connect_within(fd, to, stop_fd);
	if (!err)
		err = connection_open(ret, fd);
	if (!err)
		fd = -1;
	return err;
}

int address_connect(const char *host, uint16_t port, int stop_fd, struct connection *ret)
{
	_cleanup_addresses_ struct addrinfo *list = NULL;
	char text[64];
	int err = resolve(host, port, 0, &list);

	if (err)
		return err;
	err = -EADDRNOTAVAIL;
	for (const struct addrinfo *to = list; to; to = to->ai_next) {
		err = connect_to(to, stop_fd, ret);
		if (!err || err == -EINTR)
			break;
		address_text(to->ai_addr, text, sizeof(text));
		log_info("connect to %s: %s", text, strerror(-err));
	}
	return err ? fail(err, "connect to %s, port %u", host, port) : 0;
}

static int listen_on(const struct addrinfo *at, uint16_t *ret_port)
{
	_cleanup_close_ int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int on = 1, result;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return -errno;
	*ret_port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port :
						       ((struct sockaddr_in6 *)&bound)->sin6_port);
	result = fd;
	fd = -1;
	return result;
}

int address_listen(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port)
{
	_cleanup_addresses_ struct addrinfo *list = NULL;
	int fd, err = resolve(address ? address : "0.0.0.0", port, AI_NUMERICHOST | AI_PASSIVE, &list);

	if (err)
		return err;
	fd = listen_on(list, ret_port);
	if (fd < 0)
		return fail(fd, "listen on %s, port %u", address ? address : "0.0.0.0", port);
	*ret_fd = fd;
	return 0;
}

int address_accept(int *listener, int stop_fd, struct connection *ret)
{
	struct pollfd fds[2] = { { .fd = *listener, .events = POLLIN }, { .fd = stop_fd, .events = POLLIN } };
	_cleanup_close_ int fd = -1;
	int err;

	while (fd < 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return fail(-errno, "wait for a client");
		if (fds[1].revents & POLLIN)
			return -EINTR;
		fd = accept4(*listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			return fail(-errno, "accept a client");
	}
	close(*listener);
	*listener = -1;
	err = connection_open(ret, fd);
	if (err)
		return fail(err, "the connection of a client");
	fd = -1;
	return 0;
}
