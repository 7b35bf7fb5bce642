// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/sock_memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "kmem/kernel_memory.h"

#define SS_CONNECTING_ 2 /* include/uapi/linux/net.h */

#define FIELDS(X)                                             \
	X(socket_state, "socket", "state", NULL)              \
	X(socket_sk, "socket", "sk", NULL)                    \
	X(shutdown, "sock", "sk_shutdown", NULL)              \
	X(error, "sock", "sk_err", NULL)                      \
	X(queued_errors, "sock", "sk_error_queue.qlen", NULL) \
	X(unsent, "sock", "sk_write_queue.qlen", NULL)        \
	X(port, "sock", "__sk_common.skc_num", NULL)          \
	X(state, "sock", "__sk_common.skc_state", NULL)       \
	X(family, "sock", "__sk_common.skc_family", NULL)     \
	X(peer, "sock", "__sk_common.skc_daddr", NULL)

/* None without IPv6, TCP or CONFIG_TCP_MD5SIG. */
#define OPTIONAL_FIELDS(X)                                   \
	X(v6_peer, "sock", "__sk_common.skc_v6_daddr", NULL) \
	X(tcp_urgent, "tcp_sock", "snd_up", NULL)            \
	X(tcp_unacked, "tcp_sock", "snd_una", NULL)          \
	X(tcp_md5, "tcp_sock", "md5sig_info", NULL)

struct fields {
	FIELDS(KERNEL_FIELD_MEMBER)
	OPTIONAL_FIELDS(KERNEL_FIELD_MEMBER)
};

static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) OPTIONAL_FIELDS(KERNEL_FIELD_OPTIONAL_ROW) };

struct sock_memory_reader {
	struct kernel_memory mem;
	struct fields at;
};

int sock_memory_open(struct sock_memory_reader **ret)
{
	struct sock_memory_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? kernel_memory_open_fields(&reader->mem, fields, ARRAY_SIZE(fields), &reader->at) : -ENOMEM;

	if (err) {
		free(reader);
		return err;
	}
	*ret = reader;
	return 0;
}

void sock_memory_close(struct sock_memory_reader *reader)
{
	if (!reader)
		return;
	kernel_memory_close(&reader->mem);
	free(reader);
}

static int field(const struct sock_memory_reader *reader, uint64_t object, long at, size_t len, uint64_t *ret)
{
	return kernel_memory_field(&reader->mem, object, at, len, ret);
}

static int read_inet(const struct sock_memory_reader *reader, uint64_t sk, struct sock_memory *to)
{
	const struct fields *at = &reader->at;
	uint64_t port, state, family;
	bool v6;
	int err = field(reader, sk, at->port, 2, &port);

	if (!err)
		err = field(reader, sk, at->state, 1, &state);
	if (!err)
		err = field(reader, sk, at->family, 2, &family);
	if (err)
		return err;
	v6 = family == AF_INET6;
	if (v6 && at->v6_peer < 0)
		return -EOPNOTSUPP;
	to->port = port;
	to->state = state;
	return kernel_memory_read(&reader->mem, sk + (uint64_t)(v6 ? at->v6_peer : at->peer), to->peer, v6 ? 16 : 4);
}

static int read_tcp(const struct sock_memory_reader *reader, uint64_t sk, struct sock_memory *to)
{
	const struct fields *at = &reader->at;
	uint64_t urgent, unacked, keys = 0;
	int err = field(reader, sk, at->tcp_urgent, 4, &urgent);

	if (!err)
		err = field(reader, sk, at->tcp_unacked, 4, &unacked);
	if (!err && at->tcp_md5 >= 0)
		err = field(reader, sk, at->tcp_md5, 8, &keys);
	if (err)
		return err;
	to->urgent_end = urgent;
	to->unacked = unacked;
	to->has_md5 = keys != 0;
	return 0;
}

int sock_memory_read(struct sock_memory_reader *reader, int fd, bool inet, bool tcp, struct sock_memory *ret)
{
	const struct fields *at = &reader->at;
	uint64_t sock, sk, state, shutdown, error, queued, unsent;
	struct sock_memory all = { 0 };
	int err = kernel_memory_private(&reader->mem, fd, &sock);

	if (!err)
		err = field(reader, sock, at->socket_state, 4, &state);
	if (!err)
		err = field(reader, sock, at->socket_sk, 8, &sk);
	if (!err)
		err = field(reader, sk, at->shutdown, 1, &shutdown);
	if (!err)
		err = field(reader, sk, at->error, 4, &error);
	if (!err)
		err = field(reader, sk, at->queued_errors, 4, &queued);
	if (!err)
		err = field(reader, sk, at->unsent, 4, &unsent);
	if (!err && inet)
		err = read_inet(reader, sk, &all);
	if (!err && tcp)
		err = read_tcp(reader, sk, &all);
	if (err)
		return err;
	all.shutdown = shutdown & 3;
	all.error = (int)error;
	all.queued_errors = queued;
	all.unsent = unsent;
	all.connecting = state == SS_CONNECTING_;
	*ret = all;
	return 0;
}
