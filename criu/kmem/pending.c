// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/pending.h"
#include <errno.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "kmem/reader.h"

/* Longer queues are assumed to have changed while they were being read. */
#define CONNECTIONS_MAX 65536u
#define PACKETS_MAX (1u << 20)
#define PACKET_MAX (1u << 24)
#define FRAGMENT_LISTS_MAX 1024u

/* All fields that are read; resolved once. */
#define FIELDS(X)                                                                         \
	X(task_pid, "task_struct", "thread_pid", NULL)                                    \
	X(socket_sk, "socket", "sk", NULL)                                                \
	X(sock_socket, "sock", "sk_socket", NULL)                                         \
	X(sock_queue, "sock", "sk_receive_queue", NULL)                                   \
	X(sock_shutdown, "sock", "sk_shutdown", NULL)                                     \
	X(sock_family, "sock", "__sk_common.skc_family", NULL)                            \
	X(sock_daddr, "sock", "__sk_common.skc_daddr", NULL)                              \
	X(sock_saddr, "sock", "__sk_common.skc_rcv_saddr", NULL)                          \
	X(sock_dport, "sock", "__sk_common.skc_dport", NULL)                              \
	X(sock_num, "sock", "__sk_common.skc_num", NULL)                                  \
	X(inode, "socket_alloc", "vfs_inode", NULL)                                       \
	X(inode_ino, "inode", "i_ino", NULL)                                              \
	X(skb_next, "sk_buff", "next", NULL)                                              \
	X(skb_sk, "sk_buff", "sk", NULL)                                                  \
	X(skb_cb, "sk_buff", "cb", NULL)                                                  \
	X(skb_len, "sk_buff", "len", NULL)                                                \
	X(skb_data_len, "sk_buff", "data_len", NULL)                                      \
	X(skb_head, "sk_buff", "head", NULL)                                              \
	X(skb_end, "sk_buff", "end", NULL)                                                \
	X(skb_data, "sk_buff", "data", NULL)                                              \
	X(shared_nr, "skb_shared_info", "nr_frags", NULL)                                 \
	X(shared_frags, "skb_shared_info", "frags", NULL)                                 \
	X(shared_list, "skb_shared_info", "frag_list", NULL)                              \
	X(frag_page, "skb_frag", "netmem", "bv_page")                                     \
	X(frag_len, "skb_frag", "len", "bv_len")                                          \
	X(frag_offset, "skb_frag", "offset", "bv_offset")                                 \
	X(unix_peer, "unix_sock", "peer", NULL)                                           \
	X(unix_oob, "unix_sock", "oob_skb", "peer")                                       \
	X(parms_pid, "unix_skb_parms", "pid", NULL)                                       \
	X(parms_uid, "unix_skb_parms", "uid", NULL)                                       \
	X(parms_gid, "unix_skb_parms", "gid", NULL)                                       \
	X(parms_fp, "unix_skb_parms", "fp", NULL)                                         \
	X(pid_level, "pid", "level", NULL)                                                \
	X(pid_numbers, "pid", "numbers", NULL)                                            \
	X(upid_nr, "upid", "nr", NULL)                                                    \
	X(upid_ns, "upid", "ns", NULL)                                                    \
	X(tcp_accept, "inet_connection_sock", "icsk_accept_queue.rskq_accept_head", NULL) \
	X(tcp_copied, "tcp_sock", "copied_seq", NULL)                                     \
	X(tcp_urgent, "tcp_sock", "urg_data", NULL)                                       \
	X(request_next, "request_sock", "dl_next", NULL)                                  \
	X(request_sk, "request_sock", "sk", NULL)                                         \
	X(cb_seq, "tcp_skb_cb", "seq", NULL)                                              \
	X(size_frag, "skb_frag", NULL, NULL)                                              \
	X(size_upid, "upid", NULL, NULL)

/* Missing without IPv6. */
#define OPTIONAL_FIELDS(X)                                    \
	X(v6_daddr, "sock", "__sk_common.skc_v6_daddr", NULL) \
	X(v6_saddr, "sock", "__sk_common.skc_v6_rcv_saddr", NULL)

struct fields {
	FIELDS(KERNEL_FIELD_MEMBER)
	OPTIONAL_FIELDS(KERNEL_FIELD_MEMBER)
};

static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) OPTIONAL_FIELDS(KERNEL_FIELD_OPTIONAL_ROW) };

struct pending_reader {
	struct kernel_memory mem;
	struct fields at;
	uint64_t pid_ns;
};

static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct pending_reader, fields);

static int word(const struct pending_reader *reader, uint64_t object, long field, size_t len, uint64_t *ret)
{
	return kernel_memory_field(&reader->mem, object, field, len, ret);
}

/* Our own PID namespace: that of the last entry of thread_pid->numbers. */
static int learn_pid_ns(struct pending_reader *reader)
{
	uint64_t at, level;
	int err = kernel_memory_task(&reader->mem, &at);

	if (!err)
		err = word(reader, at, reader->at.task_pid, 8, &at);
	if (!err)
		err = word(reader, at, reader->at.pid_level, 4, &level);
	if (!err)
		err = word(reader, at + reader->at.pid_numbers + level * reader->at.size_upid, reader->at.upid_ns, 8,
			   &reader->pid_ns);
	return err;
}

int pending_open(struct pending_reader **ret)
{
	int err;
	struct pending_reader *reader = kernel_reader_new(&reader_type, &err);

	if (!reader)
		return err;
	err = learn_pid_ns(reader);
	if (err) {
		pending_close(reader);
		return err;
	}
	*ret = reader;
	return 0;
}

void pending_close(struct pending_reader *reader)
{
	kernel_reader_free(reader);
}

void pending_close_ptr(struct pending_reader **reader)
{
	pending_close(*reader);
}

void pending_free(struct pending_connections *connections)
{
	struct pending_connection *c;

	array_for_each(c, connections) {
		array_free(&c->packets);
		buf_free(&c->bytes);
	}
	array_free(connections);
}

/* ---- the bytes of a packet ---- */

static int append(struct pending_reader *reader, uint64_t at, uint64_t len, struct buf *to)
{
	int err;

	if (len > PACKET_MAX)
		return -EAGAIN;
	err = buf_reserve(to, len);
	if (!err)
		err = kernel_memory_read(&reader->mem, at, to->data + to->len, len);
	if (!err)
		to->len += len;
	return err;
}

static int append_fragment(struct pending_reader *reader, uint64_t frag, struct buf *to)
{
	uint64_t page, len, offset, at = 0;
	const struct kernel_word words[] = { { reader->at.frag_page, 8, &page },
					     { reader->at.frag_len, 4, &len },
					     { reader->at.frag_offset, 4, &offset } };
	int err = kernel_words_read(&reader->mem, frag, words, ARRAY_SIZE(words));

	if (!err)
		err = kernel_memory_of_page(&reader->mem, page, &at);
	return err ? err : append(reader, at + offset, len, to);
}

static int append_packet(struct pending_reader *reader, uint64_t skb, int depth, struct buf *to);

static int append_rest(struct pending_reader *reader, uint64_t skb, int depth, struct buf *to)
{
	uint64_t head = 0, end = 0, nr = 0, list = 0;
	const struct kernel_word words[] = { { reader->at.skb_head, 8, &head }, { reader->at.skb_end, 4, &end } };
	int err = kernel_words_read(&reader->mem, skb, words, ARRAY_SIZE(words));

	if (!err)
		err = word(reader, head + end, reader->at.shared_nr, 1, &nr);
	for (uint64_t i = 0; !err && i < nr; i++)
		err = append_fragment(reader, head + end + reader->at.shared_frags + i * reader->at.size_frag, to);
	if (!err)
		err = word(reader, head + end, reader->at.shared_list, 8, &list);
	for (unsigned i = 0; !err && list; i++) {
		err = depth || i == FRAGMENT_LISTS_MAX ? -EAGAIN : append_packet(reader, list, depth + 1, to);
		if (!err)
			err = word(reader, list, reader->at.skb_next, 8, &list);
	}
	return err;
}

static int append_packet(struct pending_reader *reader, uint64_t skb, int depth, struct buf *to)
{
	uint64_t len, rest, data;
	const struct kernel_word words[] = { { reader->at.skb_len, 4, &len },
					     { reader->at.skb_data_len, 4, &rest },
					     { reader->at.skb_data, 8, &data } };
	size_t before = to->len;
	int err = kernel_words_read(&reader->mem, skb, words, ARRAY_SIZE(words));

	if (!err && (rest > len || len > PACKET_MAX))
		err = -EAGAIN;
	if (!err)
		err = append(reader, data, len - rest, to);
	if (!err && rest)
		err = append_rest(reader, skb, depth, to);
	if (!err && to->len - before != len)
		err = -EAGAIN;
	return err;
}

/* Calls @each for every packet of a queue. */
typedef int (*each_packet)(struct pending_reader *reader, uint64_t skb, void *arg);

static int walk_queue(struct pending_reader *reader, uint64_t sk, unsigned max, each_packet each, void *arg)
{
	/* The head of the list starts like a packet: with next. */
	uint64_t head = sk + reader->at.sock_queue, skb = head;
	int err = 0;

	for (unsigned i = 0; !err; i++) {
		err = word(reader, skb, reader->at.skb_next, 8, &skb);
		if (err || skb == head)
			return err;
		err = i == max ? -EAGAIN : each(reader, skb, arg);
	}
	return err;
}

static int find_sock(struct pending_reader *reader, int fd, uint64_t *ret_sk)
{
	uint64_t at;
	int err = kernel_memory_private(&reader->mem, fd, &at);

	return err ? err : word(reader, at, reader->at.socket_sk, 8, ret_sk);
}

/* ---- unix ---- */

/* The pid in our own PID namespace. */
static int save_pid(struct pending_reader *reader, uint64_t pid, int32_t *ret)
{
	uint64_t level, ns, nr;
	int err = word(reader, pid, reader->at.pid_level, 4, &level);

	for (uint64_t i = 0; !err && i <= MIN_OF(level, 32u); i++) {
		uint64_t upid = pid + reader->at.pid_numbers + i * reader->at.size_upid;

		err = word(reader, upid, reader->at.upid_ns, 8, &ns);
		if (!err)
			err = word(reader, upid, reader->at.upid_nr, 4, &nr);
		if (!err && ns == reader->pid_ns)
			*ret = (int32_t)nr;
	}
	return err;
}

static int unix_packet(struct pending_reader *reader, uint64_t skb, void *arg)
{
	struct pending_connection *c = arg;
	struct pending_packet *packet = array_push(&c->packets);
	uint64_t fp, pid, uid, gid;
	const struct kernel_word parms[] = { { reader->at.parms_fp, 8, &fp },
					     { reader->at.parms_pid, 8, &pid },
					     { reader->at.parms_uid, 4, &uid },
					     { reader->at.parms_gid, 4, &gid } };
	int err;

	if (!packet)
		return -ENOMEM;
	packet->at = c->bytes.len;
	err = append_packet(reader, skb, 0, &c->bytes);
	packet->len = c->bytes.len - packet->at;
	if (!err)
		err = kernel_words_read(&reader->mem, skb + reader->at.skb_cb, parms, ARRAY_SIZE(parms));
	if (err)
		return err;
	packet->has_rights = fp != 0;
	packet->has_credentials = pid != 0;
	packet->uid = (uint32_t)uid;
	packet->gid = (uint32_t)gid;
	return pid ? save_pid(reader, pid, &packet->pid) : 0;
}

static int client_inode(struct pending_reader *reader, uint64_t client, uint32_t *ret)
{
	uint64_t socket, ino = 0;
	int err = word(reader, client, reader->at.sock_socket, 8, &socket);

	if (!err && socket)
		err = word(reader, socket, reader->at.inode + reader->at.inode_ino, 8, &ino);
	if (!err)
		*ret = (uint32_t)ino;
	return err;
}

/* In the queue of a listening socket every packet is a connection: it belongs to the socket to be accepted. */
static int unix_connection(struct pending_reader *reader, uint64_t skb, void *arg)
{
	struct pending_connections *to = arg;
	struct pending_connection *c = array_push(to);
	uint64_t sk, peer, oob;
	int err = c ? word(reader, skb, reader->at.skb_sk, 8, &sk) : -ENOMEM;

	if (!err)
		err = word(reader, sk, reader->at.unix_peer, 8, &peer);
	if (!err && peer)
		err = client_inode(reader, peer, &c->client);
	if (!err)
		err = word(reader, sk, reader->at.unix_oob, 8, &oob);
	if (err)
		return err;
	c->family = AF_UNIX;
	c->urgent = oob && reader->at.unix_oob != reader->at.unix_peer;
	return walk_queue(reader, sk, PACKETS_MAX, unix_packet, c);
}

int pending_unix(struct pending_reader *reader, int listening, struct pending_connections *to)
{
	uint64_t sk;
	int err = find_sock(reader, listening, &sk);

	return err ? err : walk_queue(reader, sk, CONNECTIONS_MAX, unix_connection, to);
}

/* ---- TCP ---- */

struct tcp_bytes {
	struct pending_connection *c;
	uint32_t next; /* sequence number */
};

static int tcp_packet(struct pending_reader *reader, uint64_t skb, void *arg)
{
	struct tcp_bytes *tcp = arg;
	struct buf *bytes = &tcp->c->bytes;
	uint64_t seq;
	size_t before = bytes->len, len;
	uint32_t skip;
	int err = word(reader, skb + reader->at.skb_cb, reader->at.cb_seq, 4, &seq);

	if (!err)
		err = append_packet(reader, skb, 0, bytes);
	if (err)
		return err;
	/* Retransmitted data may be in the queue twice. */
	skip = tcp->next - (uint32_t)seq;
	len = bytes->len - before;
	skip = (int32_t)skip < 0 ? 0 : MIN_OF(skip, len);
	memmove(bytes->data + before, bytes->data + before + skip, len - skip);
	bytes->len -= skip;
	tcp->next += len - skip;
	return 0;
}

static int tcp_address(struct pending_reader *reader, uint64_t sk, struct pending_connection *c)
{
	bool v6;
	uint64_t family, dport, num;
	const struct kernel_word words[] = { { reader->at.sock_family, 2, &family },
					     { reader->at.sock_dport, 2, &dport },
					     { reader->at.sock_num, 2, &num } };
	int err = kernel_words_read(&reader->mem, sk, words, ARRAY_SIZE(words));

	if (err)
		return err;
	c->family = (int)family;
	c->remote_port = (uint16_t)dport;
	c->local_port = htons((uint16_t)num);
	v6 = c->family == AF_INET6;
	if (v6 && (reader->at.v6_daddr < 0 || reader->at.v6_saddr < 0))
		return -EOPNOTSUPP;
	err = kernel_memory_read(&reader->mem, sk + (v6 ? reader->at.v6_daddr : reader->at.sock_daddr), &c->remote,
				 v6 ? 16 : 4);
	if (!err)
		err = kernel_memory_read(&reader->mem, sk + (v6 ? reader->at.v6_saddr : reader->at.sock_saddr),
					 &c->local, v6 ? 16 : 4);
	return err;
}

static int tcp_connection(struct pending_reader *reader, uint64_t sk, struct pending_connection *c)
{
	struct tcp_bytes tcp = { .c = c };
	struct pending_packet *packet;
	uint64_t shutdown, copied, urgent;
	const struct kernel_word words[] = { { reader->at.sock_shutdown, 1, &shutdown },
					     { reader->at.tcp_copied, 4, &copied },
					     { reader->at.tcp_urgent, 2, &urgent } };
	int err = tcp_address(reader, sk, c);

	if (!err)
		err = kernel_words_read(&reader->mem, sk, words, ARRAY_SIZE(words));
	if (err)
		return err;
	c->finished = shutdown & 1;
	c->urgent = urgent != 0;
	tcp.next = (uint32_t)copied;
	err = walk_queue(reader, sk, PACKETS_MAX, tcp_packet, &tcp);
	if (err || !c->bytes.len)
		return err;
	packet = array_push(&c->packets);
	if (!packet)
		return -ENOMEM;
	packet->len = c->bytes.len;
	return 0;
}

int pending_tcp(struct pending_reader *reader, int listening, struct pending_connections *to)
{
	uint64_t sk, request;
	int err = find_sock(reader, listening, &sk);

	if (!err)
		err = word(reader, sk, reader->at.tcp_accept, 8, &request);
	for (unsigned i = 0; !err && request; i++) {
		struct pending_connection *c = i == CONNECTIONS_MAX ? NULL : array_push(to);

		if (!c)
			return i == CONNECTIONS_MAX ? -EAGAIN : -ENOMEM;
		err = word(reader, request, reader->at.request_sk, 8, &sk);
		if (!err)
			err = tcp_connection(reader, sk, c);
		if (!err)
			err = word(reader, request, reader->at.request_next, 8, &request);
	}
	return err;
}
