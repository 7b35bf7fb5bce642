// SPDX-License-Identifier: GPL-2.0-only
/* Objects of a network namespace that cannot be saved. Each is a blocker, with what to do. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "base/bits.h"
#include "refuse.h"
#include "util/log.h"

static int see_any(struct nlmsghdr *message, void *arg)
{
	net_refuse_object(arg, "");
	return 0;
}

static int see_route(struct nlmsghdr *message, void *arg)
{
	const struct rtmsg *rtm = nlmsg_data(message);

	if (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6)
		net_refuse_object(arg, "");
	return 0;
}

/* The kernel numbers them NEW, DEL, GET. */
static int refuse_xfrm(struct refusing *r, struct nl_sock *xfrm, int type)
{
	struct netlink_answer answer = { .type = type - 2, .fn = see_any, .arg = r };

	return netlink_list(xfrm, nlmsg_alloc_simple(type, NLM_F_DUMP), &answer);
}

static int see_default(struct nlmsghdr *message, void *arg)
{
	const struct xfrm_userpolicy_default *policy = nlmsg_data(message);

	if (policy->in == XFRM_USERPOLICY_BLOCK || policy->fwd == XFRM_USERPOLICY_BLOCK ||
	    policy->out == XFRM_USERPOLICY_BLOCK)
		net_refuse_object(arg, "");
	return 0;
}

/* What happens to packets without a policy: since Linux 5.16, -EINVAL before. The answer is one message, no list. */
static int refuse_default(struct dump *dump, const struct ns *ns, struct nl_sock *xfrm)
{
	struct refusing r = { dump, ns, "a default policy of IPsec that blocks",
			      "accept (ip xfrm policy setdefault in accept fwd accept out accept)", false };
	const struct netlink_answer answer = { .type = XFRM_MSG_GETDEFAULT, .fn = see_default, .arg = &r };
	struct xfrm_userpolicy_default query = { 0 };
	struct nl_msg *message = nlmsg_alloc_simple(XFRM_MSG_GETDEFAULT, 0);
	int err = message && !nlmsg_append(message, &query, sizeof(query), NLMSG_ALIGNTO) ? 0 : -ENOMEM;

	if (!err)
		err = netlink_send(xfrm, message);
	nlmsg_free(message);
	if (!err)
		err = netlink_receive(xfrm, &answer);
	return err == -EINVAL || err == -EOPNOTSUPP ? 0 : MIN_OF(err, 0);
}

static int refuse_ipsec(struct dump *dump, const struct ns *ns)
{
	_cleanup_netlink_ struct nl_sock *xfrm = NULL;
	struct refusing r = { dump, ns, "IPsec states or policies",
			      "delete them (ip xfrm state flush; ip xfrm policy flush)", false };
	int err = netlink_open(NETLINK_XFRM, &xfrm);

	/* A kernel without IPsec. */
	if (err == -EPROTONOSUPPORT)
		return 0;
	if (!err)
		err = refuse_xfrm(&r, xfrm, XFRM_MSG_GETSA);
	if (!err)
		err = refuse_xfrm(&r, xfrm, XFRM_MSG_GETPOLICY);
	if (!err)
		err = refuse_default(dump, ns, xfrm);
	return err ? fail(err, "list the IPsec states of network namespace %u", ns->id) : 0;
}

int net_refuse(struct dump *dump, const struct ns *ns, struct nl_sock *route)
{
	const struct rtmsg rtm = { .rtm_family = AF_UNSPEC };
	struct refusing routes = { dump, ns, "multicast or MPLS routes", "end the routing daemon, or delete them",
				   false };
	int err = route_list(route, &(struct route_query){ RTM_GETROUTE, &rtm, sizeof(rtm), see_route, &routes });
	if (err)
		return fail(err, "list the objects of network namespace %u", ns->id);
	err = refuse_ipsec(dump, ns);
	if (!err)
		err = net_refuse_ebtables(dump, ns);
	return err ? err : net_refuse_netfilter(dump, ns);
}
