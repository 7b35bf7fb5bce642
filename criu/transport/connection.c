// SPDX-License-Identifier: GPL-2.0-only
#include "transport/connection.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bits.h"

/* A machine that does not answer is given up after some 45 seconds. */
#define KEEP_IDLE_S 15
#define KEEP_INTERVAL_S 5
#define KEEP_COUNT 6
/* It includes the time that a living peer takes nothing, as it waits for its disk. */
#define USER_TIMEOUT_MS 120000

void address_text(const struct sockaddr *address, char *ret, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(ret, size, "%s:%u", host, ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(ret, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
}

static void set_option(int fd, int level, int option, int value)
{
	/* A connection without it works, too. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_up_tcp(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

int connection_open(struct connection *c, int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	*c = CONNECTION_NONE;
	c->fd = fd;
	c->is_tcp = address.ss_family == AF_INET || address.ss_family == AF_INET6;
	if (c->is_tcp) {
		set_up_tcp(fd);
		address_text((const struct sockaddr *)&address, c->peer, sizeof(c->peer));
	} else {
		snprintf(c->peer, sizeof(c->peer), "the socket %d", fd);
	}
	return 0;
}

void connection_close(struct connection *c)
{
	if (c->codec)
		c->codec->close(c);
	c->codec = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int wait_for(struct connection *c, short events)
{
	struct pollfd fds[2] = { { .fd = c->fd, .events = events }, { .fd = c->stop_fd, .events = POLLIN } };
	int n = poll(fds, 2, c->timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return -ETIMEDOUT;
	return fds[1].revents & POLLIN ? -EINTR : 0;
}

ssize_t connection_raw_send(struct connection *c, const void *data, size_t len, bool more)
{
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	int err = 0;

	while (!err) {
		ssize_t n = send(c->fd, data, len, flags);

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			err = wait_for(c, POLLOUT);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

ssize_t connection_raw_recv(struct connection *c, void *to, size_t len)
{
	int err = 0;

	while (!err) {
		ssize_t n = recv(c->fd, to, len, MSG_DONTWAIT);

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			err = wait_for(c, POLLIN);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

int connection_send(struct connection *c, const void *data, size_t len, bool more)
{
	for (size_t done = 0; done < len;) {
		const char *at = (const char *)data + done;
		ssize_t n = c->codec ? c->codec->send(c, at, len - done, more) :
				       connection_raw_send(c, at, len - done, more);

		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return 0;
}

static void use_up(struct iovec **pieces, size_t *n, size_t sent)
{
	while (*n && sent >= (*pieces)->iov_len) {
		sent -= (*pieces)->iov_len;
		++*pieces;
		--*n;
	}
	if (*n) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + sent;
		(*pieces)->iov_len -= sent;
	}
}

static int send_plain_pieces(struct connection *c, struct iovec *pieces, size_t n)
{
	int err = 0;

	use_up(&pieces, &n, 0);
	while (n && !err) {
		struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = MIN_OF(n, (size_t)IOV_MAX) };
		ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT | (n > IOV_MAX ? MSG_MORE : 0));

		if (sent >= 0)
			use_up(&pieces, &n, (size_t)sent);
		else if (errno == EAGAIN)
			err = wait_for(c, POLLOUT);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

int connection_send_pieces(struct connection *c, struct iovec *pieces, size_t n)
{
	int err = 0;

	if (!c->codec)
		return send_plain_pieces(c, pieces, n);
	for (size_t i = 0; i < n && !err; i++)
		err = connection_send(c, pieces[i].iov_base, pieces[i].iov_len, i + 1 < n);
	return err;
}

ssize_t connection_recv_some(struct connection *c, void *to, size_t len)
{
	return c->codec ? c->codec->recv(c, to, len) : connection_raw_recv(c, to, len);
}

int connection_recv(struct connection *c, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = connection_recv_some(c, (char *)to + done, len - done);

		if (n < 0)
			return (int)n;
		if (!n)
			return done ? -EPIPE : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

int connection_wait(struct connection *c)
{
	struct pollfd ready = { .fd = c->fd, .events = POLLIN };
	int err = 0;

	if (c->codec && c->codec->pending(c))
		return 0;
	while (!err && poll(&ready, 1, 0) <= 0)
		err = wait_for(c, POLLIN);
	return err;
}
