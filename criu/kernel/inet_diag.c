// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/inet_diag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <string.h>
#include "kernel/sock_diag.h"

struct reading {
	uint16_t src_port;
	struct inet_diag_sockets *to;
};

static int parse_attributes(struct diag_bytes body, struct inet_diag_socket *sk)
{
	struct diag_bytes value;
	unsigned type;
	int err;

	while ((err = diag_attribute(&body, &type, &value)) > 0)
		if (type == INET_DIAG_SHUTDOWN && !diag_take(&value, &sk->shutdown, 1))
			return -EBADMSG;
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
	return parse_attributes(body, sk);
}

int inet_diag_parse(const void *messages, size_t len, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct reading reading = { src_port, to };

	return sock_diag_parse(messages, len, parse_socket, &reading);
}

int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family,
					    .sdiag_protocol = protocol,
					    .idiag_states = states,
					    .id.idiag_sport = htons(src_port) };
	struct reading reading = { src_port, to };

	return sock_diag_ask(&request, sizeof(request), parse_socket, &reading);
}
