// SPDX-License-Identifier: GPL-2.0-only
/* Connections: what a peer that is slow, stops, closes or goes away half way looks like. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "transport/addresses.h"
#include "util/log.h"
#include "util_check.h"

#define MUCH (4u << 20)

static void open_pair(struct connection *c, int *ret_peer)
{
	int fds[2];

	*c = CONNECTION_NONE;
	*ret_peer = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return;
	*ret_peer = fds[1];
	if (connection_open(c, fds[0]))
		c->fd = -1;
}

static void *send_much(void *arg)
{
	char *data = malloc(MUCH);

	memset(data, 'x', MUCH);
	arg = connection_send(arg, data, MUCH, false) ? NULL : arg;
	free(data);
	return arg;
}

static void more_than_fits(void)
{
	_cleanup_connection_ struct connection c, peer;
	pthread_t thread;
	void *result;
	size_t n = 0;
	char *data = malloc(MUCH);
	int fd;

	open_pair(&c, &fd);
	CHECK(connection_open(&peer, fd) == 0);
	pthread_create(&thread, NULL, send_much, &c);
	CHECK(connection_recv(&peer, data, MUCH) == 0);
	pthread_join(thread, &result);
	CHECK(result);
	for (size_t i = 0; i < MUCH; i++)
		n += data[i] == 'x';
	free(data);
	CHECK(n == MUCH);
	CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
}

static void pieces(void)
{
	enum { PIECES = 3000 };
	_cleanup_connection_ struct connection c, peer;
	struct iovec v[PIECES];
	char from[PIECES], to[PIECES];
	int fd;

	open_pair(&c, &fd);
	CHECK(connection_open(&peer, fd) == 0);
	for (int i = 0; i < PIECES; i++) {
		from[i] = (char)('a' + i % 26);
		v[i] = (struct iovec){ from + i, i % 7 ? 1 : 0 };
	}
	CHECK(connection_send_pieces(&c, v, PIECES) == 0);
	CHECK(connection_recv(&peer, to, PIECES - (PIECES + 6) / 7) == 0);
	for (int i = 0, at = 0; i < PIECES; i++)
		CHECK(i % 7 == 0 || to[at++] == from[i]);
}

static void closed_and_cut(void)
{
	struct connection c;
	char data[8];
	int peer;

	open_pair(&c, &peer);
	CHECK(write(peer, "abcdefghijk", 11) == 11);
	close(peer);
	CHECK(connection_wait(&c) == 0);
	CHECK(connection_recv(&c, data, 8) == 0 && !memcmp(data, "abcdefgh", 8));
	CHECK(connection_recv(&c, data, 8) == -EPIPE);
	CHECK(connection_recv(&c, data, 8) == -ENODATA);
	CHECK(connection_send(&c, data, 8, false) == -EPIPE);
	connection_close(&c);
	CHECK(c.fd == -1);
}

static void no_progress(void)
{
	static char data[MUCH];
	struct connection c;
	int peer;

	open_pair(&c, &peer);
	c.timeout_ms = 50;
	CHECK(connection_recv(&c, data, 8) == -ETIMEDOUT);
	CHECK(connection_wait(&c) == -ETIMEDOUT);
	CHECK(connection_send(&c, data, sizeof(data), false) == -ETIMEDOUT);
	connection_close(&c);
	close(peer);
}

static void stopped(void)
{
	static char data[MUCH];
	struct connection c;
	int peer;

	open_pair(&c, &peer);
	c.stop_fd = eventfd(1, EFD_CLOEXEC);
	CHECK(connection_send(&c, data, 1, false) == 0);
	CHECK(connection_recv(&c, data, 8) == -EINTR);
	CHECK(connection_send(&c, data, sizeof(data), false) == -EINTR);
	close(c.stop_fd);
	connection_close(&c);
	close(peer);
}

static void not_a_stream(void)
{
	struct connection c = CONNECTION_NONE;
	int pipes[2], datagrams[2];

	CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0);
	CHECK(connection_open(&c, pipes[0]) == -ENOTSOCK);
	CHECK(connection_open(&c, datagrams[0]) == -EPROTOTYPE);
	CHECK(connection_open(&c, 1000) == -EBADF);
	CHECK(c.fd == -1);
}

static void one_client(const char *address)
{
	_cleanup_connection_ struct connection client = CONNECTION_NONE, server = CONNECTION_NONE;
	struct connection second = CONNECTION_NONE;
	uint16_t port = 0;
	char data[2];
	int listener;

	CHECK(address_listen(address, 0, &listener, &port) == 0 && port);
	CHECK(address_connect(address ? address : "127.0.0.1", port, -1, &client) == 0);
	CHECK(address_accept(&listener, -1, &server) == 0 && listener == -1);
	CHECK(client.is_tcp && server.is_tcp);
	CHECK(connection_send(&client, "h", 1, true) == 0 && connection_send(&client, "i", 1, false) == 0);
	CHECK(connection_recv(&server, data, 2) == 0 && !memcmp(data, "hi", 2));
	CHECK(address_connect(address ? address : "127.0.0.1", port, -1, &second) == -ECONNREFUSED);
}

static void one_client_any(void)
{
	one_client(NULL);
}

static void one_client_ipv6(void)
{
	one_client("::1");
}

static void connect_by_name(void)
{
	_cleanup_connection_ struct connection client = CONNECTION_NONE;
	uint16_t port = 0;
	int listener;

	CHECK(address_listen("127.0.0.1", 0, &listener, &port) == 0);
	CHECK(address_connect("localhost", port, -1, &client) == 0);
	close(listener);
}

static void bad_addresses(void)
{
	struct connection c = CONNECTION_NONE;
	uint16_t port = 0;
	int listener = -1;

	CHECK(address_listen("localhost", 0, &listener, &port) == -EADDRNOTAVAIL);
	CHECK(address_listen("192.0.2.1", 0, &listener, &port) == -EADDRNOTAVAIL);
	CHECK(address_connect("no such host", 1, -1, &c) == -EADDRNOTAVAIL);
	CHECK(c.fd == -1 && listener == -1);
}

static void accept_stopped(void)
{
	struct connection c = CONNECTION_NONE;
	int listener, stop = eventfd(1, EFD_CLOEXEC);
	uint16_t port = 0;

	CHECK(address_listen(NULL, 0, &listener, &port) == 0);
	CHECK(address_accept(&listener, stop, &c) == -EINTR && listener >= 0);
	close(listener);
	close(stop);
}

int main(void)
{
	log_to_fd(-1);
	RUN(more_than_fits);
	RUN(pieces);
	RUN(closed_and_cut);
	RUN(no_progress);
	RUN(stopped);
	RUN(not_a_stream);
	RUN(one_client_any);
	RUN(one_client_ipv6);
	RUN(connect_by_name);
	RUN(bad_addresses);
	RUN(accept_stopped);
	DONE();
}
