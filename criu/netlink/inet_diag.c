// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/inet_diag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include "netlink/sock_diag.h"

/* include/net/tcp_states.h */
#define TCP_CLOSE 7
#define TCP_BOUND_INACTIVE 13

struct reading {
	uint16_t src_port; /* 0: any */
	uint32_t ino; /* 0: any */
	struct inet_diag_sockets *to;
	struct inet_diag_keys *keys; /* NULL: nobody asks for them */
};

static int parse_keys(struct diag_bytes value, struct inet_diag_keys *keys)
{
	while (value.left) {
		struct tcp_diag_md5sig told;
		struct inet_diag_key *key;

		if (!diag_take(&value, &told, sizeof(told)) || told.tcpm_keylen > INET_DIAG_KEY_MAX)
			return -EBADMSG;
		if (!told.tcpm_keylen)
			continue;
		key = array_push(keys);
		if (!key)
			return -ENOMEM;
		key->family = told.tcpm_family;
		key->prefix = told.tcpm_prefixlen;
		key->len = told.tcpm_keylen;
		memcpy(key->address, told.tcpm_addr, sizeof(key->address));
		memcpy(key->key, told.tcpm_key, key->len);
	}
	return 0;
}

static int parse_attributes(struct diag_bytes body, struct inet_diag_socket *sk, struct inet_diag_keys *keys)
{
	struct diag_bytes value;
	unsigned type;
	int err;

	while ((err = diag_attribute(&body, &type, &value)) > 0) {
		int bad = 0;

		if (type == INET_DIAG_SHUTDOWN && !diag_take(&value, &sk->shutdown, 1))
			return -EBADMSG;
		if (type == INET_DIAG_MD5SIG && keys)
			bad = parse_keys(value, keys);
		if (bad)
			return bad;
	}
	return err;
}

static int parse_socket(struct diag_bytes body, void *arg)
{
	const struct reading *reading = arg;
	struct inet_diag_msg msg;
	struct inet_diag_socket *sk;

	if (!diag_take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	if (reading->src_port && ntohs(msg.id.idiag_sport) != reading->src_port)
		return 0;
	if (reading->ino && msg.idiag_inode != reading->ino)
		return 0;
	sk = array_push(reading->to);
	if (!sk)
		return -ENOMEM;
	sk->family = msg.idiag_family;
	sk->state = msg.idiag_state;
	sk->src_port = ntohs(msg.id.idiag_sport);
	sk->dst_port = ntohs(msg.id.idiag_dport);
	memcpy(sk->src, msg.id.idiag_src, sizeof(sk->src));
	memcpy(sk->dst, msg.id.idiag_dst, sizeof(sk->dst));
	sk->interface = msg.id.idiag_if;
	sk->rqueue = msg.idiag_rqueue;
	sk->wqueue = msg.idiag_wqueue;
	sk->ino = msg.idiag_inode;
	sk->uid = msg.idiag_uid;
	return parse_attributes(body, sk, reading->keys);
}

int inet_diag_parse(const void *messages, size_t len, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct reading reading = { .src_port = src_port, .to = to };

	return sock_diag_parse(messages, len, parse_socket, &reading);
}

int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family,
					    .sdiag_protocol = protocol,
					    .idiag_states = states,
					    .id.idiag_sport = htons(src_port) };
	struct reading reading = { .src_port = src_port, .to = to };

	return sock_diag_ask(&request, sizeof(request), parse_socket, &reading);
}

int inet_diag_parse_keys(const void *messages, size_t len, uint32_t ino, struct inet_diag_sockets *to,
			 struct inet_diag_keys *keys)
{
	struct reading reading = { .ino = ino, .to = to, .keys = keys };

	return sock_diag_parse(messages, len, parse_socket, &reading);
}

/* By its addresses, at once; neighbours on its port (SO_REUSEPORT) may come instead of it: then by the list. */
int inet_diag_find(int netlink, const struct inet_diag_socket *like, struct inet_diag_socket *ret,
		   struct inet_diag_keys *keys)
{
	struct inet_diag_sockets all = { 0 };
	struct reading reading = { .ino = like->ino, .to = &all, .keys = keys };
	struct inet_diag_req_v2 request = { .sdiag_family = like->family,
					    .sdiag_protocol = IPPROTO_TCP,
					    .idiag_states = ~0u,
					    /* Keys go with it. net/ipv4/inet_diag.c inet_sk_diag_fill */
					    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
					    .id.idiag_sport = htons(like->src_port),
					    .id.idiag_dport = htons(like->dst_port),
					    .id.idiag_if = like->interface,
					    .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } };
	int err;

	memcpy(request.id.idiag_src, like->src, sizeof(like->src));
	memcpy(request.id.idiag_dst, like->dst, sizeof(like->dst));
	err = sock_diag_ask_one(netlink, &request, sizeof(request), parse_socket, &reading);
	if ((!err || err == -ENOENT) && !all.n) {
		request.id = (struct inet_diag_sockid){ .idiag_sport = htons(like->src_port) };
		request.idiag_states = 1u << (like->state == TCP_CLOSE ? TCP_BOUND_INACTIVE : like->state);
		err = sock_diag_ask(&request, sizeof(request), parse_socket, &reading);
	}
	if (!err && !all.n)
		err = -ENOENT;
	if (!err)
		*ret = all.v[0];
	array_free(&all);
	return err;
}
