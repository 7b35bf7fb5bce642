// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include "netfilter/conntrack.h"
#include "netlink/exchange.h"
#include "util/log.h"

static int dump(struct nl_sock *netlink, int subsystem, int get, const struct netlink_answer *answer)
{
	struct nfgenmsg gen = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	struct nl_msg *msg = nlmsg_alloc_simple(subsystem << 8 | get, NLM_F_DUMP);
	int err = -ENOMEM;

	if (msg && nlmsg_append(msg, &gen, sizeof(gen), NLMSG_ALIGNTO) >= 0)
		err = netlink_list(netlink, msg, answer);
	else
		nlmsg_free(msg);
	/* The kernel is built without connection tracking. */
	return err == -EINVAL || err == -EOPNOTSUPP ? 0 : err;
}

static int keep(struct nlmsghdr *message, void *arg)
{
	return netlink_append(arg, message);
}

static int see_total(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *total = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_STATS_GLOBAL_ENTRIES);

	if (total)
		*(uint32_t *)arg = ntohl(nla_get_u32((struct nlattr *)total));
	return 1;
}

/* A list takes milliseconds, however short it is: all namespaces have one table together, which is searched as a whole. */
static bool has_none(struct nl_sock *netlink)
{
	const struct nfgenmsg gen = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	const int type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS;
	uint32_t total = UINT32_MAX;
	const struct netlink_answer answer = { type, see_total, &total };
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST);
	int err = msg && !nlmsg_append(msg, (void *)&gen, sizeof(gen), NLMSG_ALIGNTO) ? netlink_send(netlink, msg) :
											-ENOMEM;

	nlmsg_free(msg);
	return !err && netlink_receive(netlink, &answer) >= 0 && !total;
}

int conntrack_read(struct nl_sock *netlink, struct buf *to)
{
	struct netlink_answer answer = { NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, keep, to };
	int err = has_none(netlink) ? 0 : dump(netlink, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, &answer);

	return err ? fail(err, "read the tracked connections") : 0;
}

static int count(struct nlmsghdr *message, void *arg)
{
	++*(int *)arg;
	return 0;
}

int conntrack_count_expected(struct nl_sock *netlink)
{
	int nr = 0;
	struct netlink_answer answer = { NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_NEW, count, &nr };
	int err = dump(netlink, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_GET, &answer);

	return err ? fail(err, "read the expected connections") : nr;
}
