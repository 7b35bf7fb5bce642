// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/inet_diag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "netlink/sock_diag.h"

/* include/net/tcp_states.h */
#define TCP_CLOSE 7

struct reading {
	uint16_t src_port; /* 0: any */
	uint32_t ino; /* 0: any */
	struct inet_diag_sockets *to;
	struct inet_diag_keys *keys; /* NULL: not requested */
};

/* struct tcp_diag_md5sig of <linux/tcp.h>, which conflicts with libnl's headers. */
struct md5_key {
	uint8_t family, prefix;
	uint16_t len;
	uint32_t address[4];
	uint8_t key[INET_DIAG_KEY_MAX];
};

static const struct nla_policy policy[INET_DIAG_MAX + 1] = {
	[INET_DIAG_SHUTDOWN] = { .type = NLA_U8 },
	[INET_DIAG_SKV6ONLY] = { .type = NLA_U8 },
};

static int parse_keys(const struct nlattr *attr, struct inet_diag_keys *keys)
{
	const struct md5_key *from = nla_data(attr);
	size_t n = nla_len(attr) / sizeof(*from);

	if (nla_len(attr) % sizeof(*from))
		return -EBADMSG;
	for (; n--; from++) {
		struct inet_diag_key *key;

		if (from->len > INET_DIAG_KEY_MAX)
			return -EBADMSG;
		if (!from->len)
			continue;
		key = array_push(keys);
		if (!key)
			return -ENOMEM;
		key->family = from->family;
		key->prefix = from->prefix;
		key->len = from->len;
		memcpy(key->address, from->address, sizeof(key->address));
		memcpy(key->key, from->key, key->len);
	}
	return 0;
}

static int parse_socket(struct nlmsghdr *message, void *arg)
{
	const struct reading *reading = arg;
	const struct inet_diag_msg *msg = nlmsg_data(message);
	struct nlattr *tb[INET_DIAG_MAX + 1];
	struct inet_diag_socket *sk;
	int err = netlink_attributes(message, sizeof(*msg), tb, INET_DIAG_MAX, policy);

	if (err)
		return err;
	if (reading->src_port && ntohs(msg->id.idiag_sport) != reading->src_port)
		return 0;
	if (reading->ino && msg->idiag_inode != reading->ino)
		return 0;
	sk = array_push(reading->to);
	if (!sk)
		return -ENOMEM;
	sk->family = msg->idiag_family;
	sk->state = msg->idiag_state;
	sk->src_port = ntohs(msg->id.idiag_sport);
	sk->dst_port = ntohs(msg->id.idiag_dport);
	memcpy(sk->src, msg->id.idiag_src, sizeof(sk->src));
	memcpy(sk->dst, msg->id.idiag_dst, sizeof(sk->dst));
	sk->interface = msg->id.idiag_if;
	sk->rqueue = msg->idiag_rqueue;
	sk->wqueue = msg->idiag_wqueue;
	sk->ino = msg->idiag_inode;
	sk->uid = msg->idiag_uid;
	if (tb[INET_DIAG_SHUTDOWN])
		sk->shutdown = nla_get_u8(tb[INET_DIAG_SHUTDOWN]);
	sk->v6only = tb[INET_DIAG_SKV6ONLY] && nla_get_u8(tb[INET_DIAG_SKV6ONLY]);
	return tb[INET_DIAG_MD5SIG] && reading->keys ? parse_keys(tb[INET_DIAG_MD5SIG], reading->keys) : 0;
}

int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family,
					    .sdiag_protocol = protocol,
					    .idiag_states = states,
					    .id.idiag_sport = htons(src_port) };
	struct reading reading = { .src_port = src_port, .to = to };
	int err = sock_diag_ask(&(struct sock_diag_query){ &request, sizeof(request), parse_socket, &reading });

	/* The kernel cannot list sockets of this protocol. */
	return err == -ENOENT ? 0 : err;
}

static int ignore(struct nlmsghdr *message, void *arg)
{
	return 0;
}

int inet_diag_lists(int family, int protocol)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u };
	int err = sock_diag_ask(&(struct sock_diag_query){ &request, sizeof(request), ignore, NULL });

	return err == -ENOENT ? 0 : err ? err : 1;
}

int inet_diag_parse(const void *messages, size_t len, uint32_t ino, struct inet_diag_sockets *to,
		    struct inet_diag_keys *keys)
{
	struct reading reading = { .ino = ino, .to = to, .keys = keys };

	return sock_diag_parse(messages, len, parse_socket, &reading);
}

/* Query by addresses first; this may return another socket on its port (SO_REUSEPORT): then use the list. */
int inet_diag_find(struct nl_sock *netlink, const struct inet_diag_socket *like, struct inet_diag_socket *ret,
		   struct inet_diag_keys *keys)
{
	struct inet_diag_sockets all = { 0 };
	struct reading reading = { .ino = like->ino, .to = &all, .keys = keys };
	struct inet_diag_req_v2 request = { .sdiag_family = like->family,
					    .sdiag_protocol = IPPROTO_TCP,
					    .idiag_states = ~0u,
					    /* Includes the keys. net/ipv4/inet_diag.c inet_sk_diag_fill */
					    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
					    .id.idiag_sport = htons(like->src_port),
					    .id.idiag_dport = htons(like->dst_port),
					    .id.idiag_if = like->interface,
					    .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } };
	struct sock_diag_query query = { &request, sizeof(request), parse_socket, &reading };
	int err;

	memcpy(request.id.idiag_src, like->src, sizeof(like->src));
	memcpy(request.id.idiag_dst, like->dst, sizeof(like->dst));
	err = sock_diag_ask_one(netlink, &query);
	if ((!err || err == -ENOENT) && !all.n) {
		request.id = (struct inet_diag_sockid){ .idiag_sport = htons(like->src_port) };
		request.idiag_states = 1u << (like->state == TCP_CLOSE ? INET_DIAG_BOUND : like->state);
		err = sock_diag_ask(&query);
	}
	if (!err && !all.n)
		err = -ENOENT;
	if (!err)
		*ret = all.v[0];
	array_free(&all);
	return err;
}
