// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/packet_diag.h"
#include <errno.h>
#include <linux/packet_diag.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "netlink/sock_diag.h"

struct reading {
	uint32_t ino;
	bool found;
	struct packet_diag_socket *ret;
};

static const struct nla_policy policy[PACKET_DIAG_MAX + 1] = {
	[PACKET_DIAG_INFO] = { .minlen = sizeof(struct packet_diag_info) },
	[PACKET_DIAG_RX_RING] = { .minlen = sizeof(struct packet_diag_ring) },
	[PACKET_DIAG_TX_RING] = { .minlen = sizeof(struct packet_diag_ring) },
	[PACKET_DIAG_FANOUT] = { .type = NLA_U32 },
};

static int parse_members(const struct nlattr *attr, struct packet_diag_socket *sk)
{
	const struct packet_diag_mclist *mc = nla_data(attr);
	size_t n = nla_len(attr) / sizeof(*mc);

	if (nla_len(attr) % sizeof(*mc))
		return -EBADMSG;
	if (n > PACKET_DIAG_MEMBERS_MAX)
		return -E2BIG;
	for (; sk->nr_members < n; mc++) {
		struct packet_diag_member *m = &sk->members[sk->nr_members++];

		*m = (struct packet_diag_member){ .interface = mc->pdmc_index,
						  .count = mc->pdmc_count,
						  .type = mc->pdmc_type,
						  .len = MIN_OF(mc->pdmc_alen, sizeof(m->address)) };
		memcpy(m->address, mc->pdmc_addr, m->len);
	}
	return 0;
}

static void parse_ring(const struct nlattr *attr, struct packet_diag_ring_config *ring)
{
	const struct packet_diag_ring *from = nla_data(attr);

	*ring = (struct packet_diag_ring_config){ .block_size = from->pdr_block_size,
						  .block_nr = from->pdr_block_nr,
						  .frame_size = from->pdr_frame_size,
						  .frame_nr = from->pdr_frame_nr,
						  .retire_tmo = from->pdr_retire_tmo,
						  .sizeof_priv = from->pdr_sizeof_priv,
						  .features = from->pdr_features };
}

static int parse_attributes(struct nlattr *const *tb, struct packet_diag_socket *sk)
{
	const struct packet_diag_info *info;

	if (tb[PACKET_DIAG_INFO]) {
		info = nla_data(tb[PACKET_DIAG_INFO]);
		sk->interface = info->pdi_index;
	}
	if (tb[PACKET_DIAG_RX_RING])
		parse_ring(tb[PACKET_DIAG_RX_RING], &sk->rx_ring);
	if (tb[PACKET_DIAG_TX_RING])
		parse_ring(tb[PACKET_DIAG_TX_RING], &sk->tx_ring);
	if (tb[PACKET_DIAG_FANOUT]) {
		sk->has_fanout = true;
		sk->fanout = nla_get_u32(tb[PACKET_DIAG_FANOUT]);
	}
	return tb[PACKET_DIAG_MCLIST] ? parse_members(tb[PACKET_DIAG_MCLIST], sk) : 0;
}

static int parse_socket(struct nlmsghdr *message, void *arg)
{
	struct reading *reading = arg;
	const struct packet_diag_msg *msg = nlmsg_data(message);
	struct nlattr *tb[PACKET_DIAG_MAX + 1];
	int err = netlink_attributes(message, sizeof(*msg), tb, PACKET_DIAG_MAX, policy);

	if (err || msg->pdiag_ino != reading->ino)
		return err;
	memset(reading->ret, 0, sizeof(*reading->ret));
	reading->found = true;
	reading->ret->protocol = msg->pdiag_num;
	return parse_attributes(tb, reading->ret);
}

int packet_diag_parse(const void *messages, size_t len, uint32_t ino, struct packet_diag_socket *ret)
{
	struct reading reading = { .ino = ino, .ret = ret };
	int err = sock_diag_parse(messages, len, parse_socket, &reading);

	return err < 0 ? err : reading.found ? 0 : -ENOENT;
}

int packet_diag_read(uint32_t ino, struct packet_diag_socket *ret)
{
	struct packet_diag_req request = {
		.sdiag_family = AF_PACKET,
		.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT,
	};
	struct reading reading = { .ino = ino, .ret = ret };
	int err = sock_diag_ask(&(struct sock_diag_query){ &request, sizeof(request), parse_socket, &reading });

	return err ? err : reading.found ? 0 : -ENOENT;
}
