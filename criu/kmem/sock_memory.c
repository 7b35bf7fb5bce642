// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/sock_memory.h"
#include <errno.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "kmem/reader.h"

#define SS_CONNECTING_ 2 /* include/uapi/linux/net.h */

/* O: Missing without IPv6, TCP or CONFIG_TCP_MD5SIG. */
#define FIELDS(X, O)                                          \
	X(socket_state, "socket", "state", NULL)              \
	X(socket_sk, "socket", "sk", NULL)                    \
	X(shutdown, "sock", "sk_shutdown", NULL)              \
	X(error, "sock", "sk_err", NULL)                      \
	X(queued_errors, "sock", "sk_error_queue.qlen", NULL) \
	X(unsent, "sock", "sk_write_queue.qlen", NULL)        \
	X(port, "sock", "__sk_common.skc_num", NULL)          \
	X(state, "sock", "__sk_common.skc_state", NULL)       \
	X(family, "sock", "__sk_common.skc_family", NULL)     \
	X(peer, "sock", "__sk_common.skc_daddr", NULL)        \
	O(v6_peer, "sock", "__sk_common.skc_v6_daddr", NULL)  \
	O(tcp_urgent, "tcp_sock", "snd_up", NULL)             \
	O(tcp_unacked, "tcp_sock", "snd_una", NULL)           \
	O(tcp_md5, "tcp_sock", "md5sig_info", NULL)

KERNEL_READER(sock_memory_reader, FIELDS)

KERNEL_READER_FUNCTIONS(sock_memory_reader, sock_memory_open, sock_memory_close, KERNEL_READER_ANY, KERNEL_READER_KEEPS)

static int read_inet(const struct sock_memory_reader *reader, uint64_t sk, struct sock_memory *to)
{
	const struct fields *at = &reader->at;
	uint64_t port, state, family;
	const struct kernel_word words[] = { { at->port, 2, &port },
					     { at->state, 1, &state },
					     { at->family, 2, &family } };
	bool v6;
	int err = kernel_words_read(&reader->mem, sk, words, ARRAY_SIZE(words));

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
	const struct kernel_word words[] = { { at->tcp_urgent, 4, &urgent },
					     { at->tcp_unacked, 4, &unacked },
					     { at->tcp_md5, 8, &keys } };
	int err = kernel_words_read(&reader->mem, sk, words, at->tcp_md5 >= 0 ? 3 : 2);

	if (err)
		return err;
	to->urgent_end = urgent;
	to->unacked = unacked;
	to->has_md5 = keys != 0;
	return 0;
}

static int read_sock(const struct sock_memory_reader *reader, uint64_t sk, struct sock_memory *to)
{
	const struct fields *at = &reader->at;
	uint64_t shutdown, error, queued, unsent;
	const struct kernel_word words[] = { { at->shutdown, 1, &shutdown },
					     { at->error, 4, &error },
					     { at->queued_errors, 4, &queued },
					     { at->unsent, 4, &unsent } };
	int err = kernel_words_read(&reader->mem, sk, words, ARRAY_SIZE(words));

	if (err)
		return err;
	to->shutdown = shutdown & 3;
	to->error = (int)error;
	to->queued_errors = queued;
	to->unsent = unsent;
	return 0;
}

int sock_memory_read(struct sock_memory_reader *reader, int fd, bool inet, bool tcp, struct sock_memory *ret)
{
	const struct fields *at = &reader->at;
	uint64_t socket, sk, state;
	const struct kernel_word words[] = { { at->socket_state, 4, &state }, { at->socket_sk, 8, &sk } };
	struct sock_memory all = { 0 };
	int err = kernel_memory_private(&reader->mem, fd, &socket);

	if (!err)
		err = kernel_words_read(&reader->mem, socket, words, ARRAY_SIZE(words));
	if (!err)
		err = read_sock(reader, sk, &all);
	if (!err && inet)
		err = read_inet(reader, sk, &all);
	if (!err && tcp)
		err = read_tcp(reader, sk, &all);
	if (err)
		return err;
	all.connecting = state == SS_CONNECTING_;
	*ret = all;
	return 0;
}
