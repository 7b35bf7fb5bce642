// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/inet_diag.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

/* Bytes of a message, read inside their bounds. */
struct bytes {
	const char *p;
	size_t left;
};

static bool take(struct bytes *from, void *to, size_t len)
{
	if (from->left < len)
		return false;
	memcpy(to, from->p, len);
	from->p += len;
	from->left -= len;
	return true;
}

static void skip_up_to(struct bytes *from, size_t len)
{
	len = MIN_OF(len, from->left);
	from->p += len;
	from->left -= len;
}

static int parse_attributes(struct bytes body, struct inet_diag_socket *sk)
{
	while (body.left) {
		struct nlattr attr;
		struct bytes value;

		if (!take(&body, &attr, sizeof(attr)) || attr.nla_len < sizeof(attr) ||
		    attr.nla_len - sizeof(attr) > body.left)
			return -EBADMSG;
		value = (struct bytes){ body.p, attr.nla_len - sizeof(attr) };
		skip_up_to(&body, NLMSG_ALIGN(value.left));
		if ((attr.nla_type & NLA_TYPE_MASK) == INET_DIAG_SHUTDOWN && !take(&value, &sk->shutdown, 1))
			return -EBADMSG;
	}
	return 0;
}

static int parse_socket(struct bytes body, uint16_t src_port, struct inet_diag_sockets *to)
{
	struct inet_diag_msg msg;
	struct inet_diag_socket *sk;

	if (!take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	if (src_port && ntohs(msg.id.idiag_sport) != src_port)
		return 0;
	sk = array_push(to);
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
	struct bytes in = { messages, len };

	while (in.left) {
		struct nlmsghdr head;
		struct bytes body;
		int err = 0;

		if (!take(&in, &head, sizeof(head)) || head.nlmsg_len < sizeof(head) ||
		    head.nlmsg_len - sizeof(head) > in.left)
			return -EBADMSG;
		body = (struct bytes){ in.p, head.nlmsg_len - sizeof(head) };
		skip_up_to(&in, NLMSG_ALIGN(body.left));
		if (head.nlmsg_type == NLMSG_DONE)
			return 1;
		if (head.nlmsg_type == NLMSG_ERROR)
			return take(&body, &err, sizeof(err)) && err < 0 ? err : -EBADMSG;
		if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			err = parse_socket(body, src_port, to);
		if (err)
			return err;
	}
	return 0;
}

static int ask(int netlink, int family, int protocol, uint32_t states, uint16_t src_port)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} query = {
		.head = { .nlmsg_len = sizeof(query),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = family,
			 .sdiag_protocol = protocol,
			 .idiag_states = states,
			 .id.idiag_sport = htons(src_port) },
	};

	return send(netlink, &query, sizeof(query), 0) < 0 ? -errno : 0;
}

int inet_diag_read(int family, int protocol, uint32_t states, uint16_t src_port, struct inet_diag_sockets *to)
{
	_cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_cleanup_buf_ struct buf in = { 0 };
	int err = netlink < 0 ? -errno : ask(netlink, family, protocol, states, src_port);

	while (!err) {
		ssize_t len = recv(netlink, NULL, 0, MSG_PEEK | MSG_TRUNC);

		buf_clear(&in);
		err = len < 0 ? -errno : buf_reserve(&in, len);
		if (err)
			break;
		len = recv(netlink, in.data, in.cap, 0);
		err = len < 0 ? -errno : inet_diag_parse(in.data, len, src_port, to);
	}
	return err < 0 ? err : 0;
}
