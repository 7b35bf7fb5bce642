// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints that connections of MPTCP use, and limits: `ip mptcp`. The number of the family in messages is given at boot, and not
 * kept.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/stat.h>
#include "base/bits.h"
#include "internal.h"
#include "netlink/generic.h"
#include "util/log.h"
#include "util/proc_root.h"

#define IS_IMPLICIT 16u /* MPTCP_PM_ADDR_FLAG_IMPLICIT: the kernel has made it for a connection */

/* A kernel without it would look for a module. */
static bool is_there(void)
{
	struct stat st;

	return !fstatat(proc_root(), "sys/net/mptcp", &st, 0);
}

static int keep(struct buf *to, struct nlmsghdr *message)
{
	message->nlmsg_type = NLMSG_MIN_TYPE;
	return route_keep(to, message);
}

static int keep_endpoint(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *address = nlmsg_find_attr(message, sizeof(struct genlmsghdr), MPTCP_PM_ATTR_ADDR);
	const struct nlattr *flags = netlink_nested(address, MPTCP_PM_ADDR_ATTR_FLAGS);

	if (!address || (flags && (nla_get_u32((struct nlattr *)flags) & IS_IMPLICIT)))
		return 0;
	((struct genlmsghdr *)nlmsg_data(message))->cmd = MPTCP_PM_CMD_ADD_ADDR;
	return keep(arg, message);
}

static int keep_limits(struct nlmsghdr *message, void *arg)
{
	int err;

	((struct genlmsghdr *)nlmsg_data(message))->cmd = MPTCP_PM_CMD_SET_LIMITS;
	err = keep(arg, message);
	return err ? err : 1;
}

int net_mptcp_list(struct buf *to)
{
	_cleanup_netlink_ struct nl_sock *generic = NULL;
	int family = 0, err = is_there() ? generic_open(MPTCP_PM_NAME, &generic, &family) : 0;

	if (!err && family)
		err = netlink_list(generic, generic_request(family, NLM_F_DUMP, MPTCP_PM_CMD_GET_ADDR),
				   &(struct netlink_answer){ family, keep_endpoint, to });
	if (!err && family)
		err = generic_ask(generic, generic_request(family, NLM_F_REQUEST, MPTCP_PM_CMD_GET_LIMITS),
				  &(struct netlink_answer){ family, keep_limits, to });
	return err ? fail(err, "list the endpoints of MPTCP (netlink, mptcp_pm)") : 0;
}

struct filling {
	struct route_batch batch;
	int family;
};

static int is_endpoint(const struct nlmsghdr *message, void *arg)
{
	return ((const struct genlmsghdr *)nlmsg_data(message))->cmd == MPTCP_PM_CMD_ADD_ADDR;
}

static int add(const struct nlmsghdr *message, void *arg)
{
	const struct genlmsghdr *head = nlmsg_data(message);
	struct filling *f = arg;

	if (head->cmd != MPTCP_PM_CMD_ADD_ADDR && head->cmd != MPTCP_PM_CMD_SET_LIMITS)
		return -EBADMSG;
	route_copy(&f->batch, f->family, 0, head, (size_t)nlmsg_datalen(message));
	return 0;
}

int net_mptcp_fill(const struct net_state *state)
{
	const struct net_messages *saved = &state->lists[NET_MPTCP];
	_cleanup_netlink_ struct nl_sock *generic = NULL;
	struct filling f = { .family = 0 };
	int err;

	if (!saved->len)
		return 0;
	err = is_there() ? generic_open(MPTCP_PM_NAME, &generic, &f.family) : 0;
	if (err)
		return fail(err, "open a netlink socket (mptcp_pm)");
	/* Then there are no connections with limits, either. */
	if (!f.family)
		return !net_messages_each(saved, is_endpoint, NULL) ?
			       0 :
			       fail(-EOPNOTSUPP,
				    "the network namespace has endpoints of MPTCP, which this kernel does not have");
	netlink_want_reasons(generic);
	err = net_messages_each(saved, add, &f);
	if (err)
		fail(err, "endpoints of MPTCP");
	else
		err = route_batch_run(&f.batch, generic, net_failed, (void *)"restore the endpoints of MPTCP");
	route_batch_free(&f.batch);
	return err;
}
