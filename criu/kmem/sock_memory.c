// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/sock_memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "kmem/kernel_memory.h"

#define SS_CONNECTING_ 2 /* include/uapi/linux/net.h */

struct sock_memory_reader {
	struct kernel_memory mem;
};

int sock_memory_open(struct sock_memory_reader **ret)
{
	struct sock_memory_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? kernel_memory_open(&reader->mem) : -ENOMEM;

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

static int read_inet(const struct kernel_memory *mem, uint64_t sk, struct sock_memory *to)
{
	uint64_t port, state, family, at;
	int err = kernel_memory_field(mem, sk, "sock", "__sk_common.skc_num", 2, &port);

	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "__sk_common.skc_state", 1, &state);
	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "__sk_common.skc_family", 2, &family);
	for (size_t i = 0; !err && i < (family == AF_INET6 ? 2 : 1); i++) {
		const char *field = family == AF_INET6 ? "__sk_common.skc_v6_daddr" : "__sk_common.skc_daddr";
		long offset = btf_field(&mem->btf, "sock", field);

		err = offset < 0 ? (int)offset :
				   kernel_memory_word(mem, sk + offset + 8 * i, family == AF_INET6 ? 8 : 4, &at);
		memcpy(&to->peer[2 * i], &at, family == AF_INET6 ? 8 : 4);
	}
	if (err)
		return err;
	to->port = port;
	to->state = state;
	return 0;
}

static int read_tcp(const struct kernel_memory *mem, uint64_t sk, struct sock_memory *to)
{
	uint64_t urgent, unacked, keys = 0;
	int err = kernel_memory_field(mem, sk, "tcp_sock", "snd_up", 4, &urgent);

	if (!err)
		err = kernel_memory_field(mem, sk, "tcp_sock", "snd_una", 4, &unacked);
	/* Without CONFIG_TCP_MD5SIG there is no such field. */
	if (!err && kernel_memory_field(mem, sk, "tcp_sock", "md5sig_info", 8, &keys) == -EFAULT)
		err = -EFAULT;
	if (err)
		return err;
	to->urgent_end = urgent;
	to->unacked = unacked;
	to->has_md5 = keys != 0;
	return 0;
}

int sock_memory_read(struct sock_memory_reader *reader, int fd, bool inet, bool tcp, struct sock_memory *ret)
{
	const struct kernel_memory *mem = &reader->mem;
	uint64_t file, sock, sk, state, shutdown, error, queued, unsent;
	struct sock_memory all = { 0 };
	int err = kernel_memory_file(mem, fd, &file);

	if (!err)
		err = kernel_memory_field(mem, file, "file", "private_data", 8, &sock);
	if (!err)
		err = kernel_memory_field(mem, sock, "socket", "state", 4, &state);
	if (!err)
		err = kernel_memory_field(mem, sock, "socket", "sk", 8, &sk);
	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "sk_shutdown", 1, &shutdown);
	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "sk_err", 4, &error);
	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "sk_error_queue.qlen", 4, &queued);
	if (!err)
		err = kernel_memory_field(mem, sk, "sock", "sk_write_queue.qlen", 4, &unsent);
	if (!err && inet)
		err = read_inet(mem, sk, &all);
	if (!err && tcp)
		err = read_tcp(mem, sk, &all);
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
