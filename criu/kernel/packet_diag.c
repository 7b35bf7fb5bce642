// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/packet_diag.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

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

static int parse_members(struct bytes value, struct packet_diag_socket *sk)
{
	struct packet_diag_mclist mc;

	while (take(&value, &mc, sizeof(mc))) {
		struct packet_diag_member *m = &sk->members[sk->nr_members];

		if (sk->nr_members == PACKET_DIAG_MEMBERS_MAX)
			return -E2BIG;
		*m = (struct packet_diag_member){ .interface = mc.pdmc_index,
						  .count = mc.pdmc_count,
						  .type = mc.pdmc_type,
						  .len = MIN_OF(mc.pdmc_alen, sizeof(m->address)) };
		memcpy(m->address, mc.pdmc_addr, m->len);
		sk->nr_members++;
	}
	return value.left ? -EBADMSG : 0;
}

static int parse_socket(struct bytes body, uint32_t ino, bool *ret_found, struct packet_diag_socket *ret)
{
	struct packet_diag_msg msg;
	int err = 0;

	if (!take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	if (msg.pdiag_ino != ino)
		return 0;
	memset(ret, 0, sizeof(*ret));
	*ret_found = true;
	while (!err && body.left) {
		struct nlattr attr;
		struct bytes value;

		if (!take(&body, &attr, sizeof(attr)) || attr.nla_len < sizeof(attr) ||
		    attr.nla_len - sizeof(attr) > body.left)
			return -EBADMSG;
		value = (struct bytes){ body.p, attr.nla_len - sizeof(attr) };
		skip_up_to(&body, NLMSG_ALIGN(value.left));
		switch (attr.nla_type & NLA_TYPE_MASK) {
		case PACKET_DIAG_MCLIST:
			err = parse_members(value, ret);
			break;
		case PACKET_DIAG_RX_RING:
		case PACKET_DIAG_TX_RING:
			ret->has_ring = true;
			break;
		case PACKET_DIAG_FANOUT:
			ret->has_fanout = take(&value, &ret->fanout, sizeof(ret->fanout));
			break;
		default:
			break;
		}
	}
	return err;
}

static int parse(struct bytes in, uint32_t ino, bool *ret_found, struct packet_diag_socket *ret)
{
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
			err = parse_socket(body, ino, ret_found, ret);
		if (err)
			return err;
	}
	return 0;
}

int packet_diag_read(uint32_t ino, struct packet_diag_socket *ret)
{
	_cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct {
		struct nlmsghdr head;
		struct packet_diag_req req;
	} query = {
		.head = { .nlmsg_len = sizeof(query),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_PACKET,
			 .pdiag_show =
				 PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT },
	};
	_cleanup_buf_ struct buf in = { 0 };
	bool found = false;
	int err;

	if (netlink < 0 || send(netlink, &query, sizeof(query), 0) < 0)
		return -errno;
	do {
		ssize_t len = recv(netlink, NULL, 0, MSG_PEEK | MSG_TRUNC);

		buf_clear(&in);
		err = len < 0 ? -errno : buf_reserve(&in, len);
		if (err)
			return err;
		len = recv(netlink, in.data, in.cap, 0);
		err = len < 0 ? -errno : parse((struct bytes){ in.data, len }, ino, &found, ret);
	} while (!err);
	return err < 0 ? err : found ? 0 : -ENOENT;
}
