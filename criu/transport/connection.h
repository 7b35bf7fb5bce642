/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One stream connection to another program: TCP or a unix socket, plain or by TLS. Everything is sent and received
 * completely, or fails. Functions return 0 or a negative errno, not logged unless noted.
 *
 * The descriptor keeps its file status flags: a --ps-socket belongs to several processes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct connection;
struct sockaddr;

/* What encodes the bytes of a connection: TLS (tls.h). The same as the functions of a connection without it. */
struct connection_codec {
	ssize_t (*send)(struct connection *c, const void *data, size_t len, bool more);
	ssize_t (*recv)(struct connection *c, void *to, size_t len);
	bool (*pending)(struct connection *c); /* bytes that have been received already */
	void (*close)(struct connection *c);
};

struct connection {
	int fd; /* -1: none; owned */
	int stop_fd; /* borrowed: while it is readable, everything that would wait is -EINTR; -1: none */
	int timeout_ms; /* -ETIMEDOUT if not a single byte passes for so long; -1: no limit */
	bool is_tcp;
	const struct connection_codec *codec; /* NULL: plain */
	void *codec_data;
	char peer[64]; /* for messages: "10.0.0.1:1234", "the socket 5" */
};

#define CONNECTION_NONE                                   \
	(struct connection)                               \
	{                                                 \
		.fd = -1, .stop_fd = -1, .timeout_ms = -1 \
	}

/*
 * Takes @fd, sets @peer, and for TCP: no delay, and an end when the peer's machine does not answer any more. -ENOTSOCK,
 * -EPROTOTYPE: it is not a connected stream socket; then @fd is not taken.
 */
int connection_open(struct connection *c, int fd);
/* Ends the codec, if there is one, and closes the descriptor. */
void connection_close(struct connection *c);

/* "10.0.0.1:1234", "[::1]:1234" */
void address_text(const struct sockaddr *address, char *ret, size_t size);

/*
 * @more: something follows at once. Bytes may be held back until then, for up to 200 ms: so never with @more before
 * waiting for the peer.
 */
int connection_send(struct connection *c, const void *data, size_t len, bool more);
/* The same for many pieces at once; their bases and lengths are used up. */
struct iovec;
int connection_send_pieces(struct connection *c, struct iovec *pieces, size_t n);
/* -ENODATA: the peer closed the connection before the first byte; -EPIPE: in the middle. */
int connection_recv(struct connection *c, void *to, size_t len);
/* At least one byte; 0: closed. */
ssize_t connection_recv_some(struct connection *c, void *to, size_t len);
/* Waits until there is something to receive (or the end). */
int connection_wait(struct connection *c);

/* Below the codec. As send(2) and recv(2), but they wait, and return a negative errno. */
ssize_t connection_raw_send(struct connection *c, const void *data, size_t len, bool more);
ssize_t connection_raw_recv(struct connection *c, void *to, size_t len);

static inline void cleanup_connection(struct connection *c)
{
	connection_close(c);
}
#define _cleanup_connection_ __attribute__((cleanup(cleanup_connection)))
