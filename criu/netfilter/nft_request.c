// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_request.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>

struct nl_msg *nft_request(int type, int flags, uint8_t family)
{
	struct nfgenmsg gen = { .nfgen_family = family, .version = NFNETLINK_V0 };
	struct nl_msg *msg = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | type, flags);

	if (msg && nlmsg_append(msg, &gen, sizeof(gen), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

int nft_ask(struct nl_sock *netlink, struct nl_msg *request, const struct netlink_answer *answer)
{
	int err = request ? netlink_send(netlink, request) : -ENOMEM;

	nlmsg_free(request);
	return err ? err : netlink_receive_all(netlink, answer);
}
