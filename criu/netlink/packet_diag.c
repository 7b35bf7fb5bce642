// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/packet_diag.h"
#include <errno.h>
#include <linux/packet_diag.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "netlink/sock_diag.h"

struct reading {
	uint32_t ino;
	bool found;
	struct packet_diag_socket *ret;
};

static int parse_members(struct diag_bytes value, struct packet_diag_socket *sk)
{
	struct packet_diag_mclist mc;

	while (diag_take(&value, &mc, sizeof(mc))) {
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

static int parse_ring(struct diag_bytes value, struct packet_diag_ring_config *ring)
{
	struct packet_diag_ring told;

	if (!diag_take(&value, &told, sizeof(told)))
		return -EBADMSG;
	*ring = (struct packet_diag_ring_config){ .block_size = told.pdr_block_size,
						  .block_nr = told.pdr_block_nr,
						  .frame_size = told.pdr_frame_size,
						  .frame_nr = told.pdr_frame_nr,
						  .retire_tmo = told.pdr_retire_tmo,
						  .sizeof_priv = told.pdr_sizeof_priv,
						  .features = told.pdr_features };
	return 0;
}

static int parse_attribute(unsigned type, struct diag_bytes value, struct packet_diag_socket *sk)
{
	switch (type) {
	case PACKET_DIAG_INFO:
		return diag_take(&value, &sk->interface, sizeof(sk->interface)) ? 0 : -EBADMSG;
	case PACKET_DIAG_MCLIST:
		return parse_members(value, sk);
	case PACKET_DIAG_RX_RING:
		return parse_ring(value, &sk->rx_ring);
	case PACKET_DIAG_TX_RING:
		return parse_ring(value, &sk->tx_ring);
	case PACKET_DIAG_FANOUT:
		sk->has_fanout = diag_take(&value, &sk->fanout, sizeof(sk->fanout));
		return 0;
	default:
		return 0;
	}
}

static int parse_socket(struct diag_bytes body, void *arg)
{
	struct reading *reading = arg;
	struct packet_diag_msg msg;
	struct diag_bytes value;
	unsigned type;
	int err;

	if (!diag_take(&body, &msg, sizeof(msg)))
		return -EBADMSG;
	if (msg.pdiag_ino != reading->ino)
		return 0;
	memset(reading->ret, 0, sizeof(*reading->ret));
	reading->found = true;
	reading->ret->protocol = msg.pdiag_num;
	while ((err = diag_attribute(&body, &type, &value)) > 0) {
		err = parse_attribute(type, value, reading->ret);
		if (err)
			return err;
	}
	return err;
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
	int err = sock_diag_ask(&request, sizeof(request), parse_socket, &reading);

	return err ? err : reading.found ? 0 : -ENOENT;
}
