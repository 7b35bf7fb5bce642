// SPDX-License-Identifier: GPL-2.0-only
/* Filters of queueing disciplines and classes, actions: tc(8). */
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "qdiscs.h"
#include "util/log.h"

/* The kernel lists the actions of one kind only, and not the kinds. */
static const char *const actions[] = { "mirred", "gact",   "police",   "pedit",	     "nat",    "skbedit", "vlan",
				       "bpf",	 "csum",   "connmark", "tunnel_key", "sample", "ct",	  "mpls",
				       "gate",	 "simple", "skbmod",   "ife",	     "ctinfo", "xt" };

struct filters {
	struct nl_sock *route;
	struct refusing filters, actions;
};

static int see_filter(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *kind = nlmsg_find_attr(message, sizeof(struct tcmsg), TCA_KIND);

	net_refuse_object(arg, kind ? nla_get_string((struct nlattr *)kind) : "chain");
	return 0;
}

static int list_filters(struct filters *f, const struct tcmsg *head)
{
	int err = route_list(f->route,
			     &(struct route_query){ RTM_GETTFILTER, head, sizeof(*head), see_filter, &f->filters });

	/* Chains may be empty. */
	return err ? err :
		     route_list(f->route,
				&(struct route_query){ RTM_GETCHAIN, head, sizeof(*head), see_filter, &f->filters });
}

static int see_object(const struct nlmsghdr *message, void *arg)
{
	const struct tcmsg *tc = nlmsg_data(message);
	struct tcmsg head = { .tcm_ifindex = tc->tcm_ifindex, .tcm_parent = tc->tcm_handle };
	int err;

	if (tc->tcm_parent != TC_H_INGRESS)
		return list_filters(arg, &head);
	/* ingress and clsact */
	head.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	err = list_filters(arg, &head);
	head.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
	return err ? err : list_filters(arg, &head);
}

static int see_actions(struct nlmsghdr *message, void *arg)
{
	struct nlattr *tab = nlmsg_find_attr(message, sizeof(struct tcamsg), TCA_ACT_TAB), *action, *kind;
	int left;

	if (!tab)
		return 0;
	nla_for_each_nested(action, tab, left)
	{
		kind = nla_find(nla_data(action), nla_len(action), TCA_ACT_KIND);
		net_refuse_object(arg, kind ? nla_get_string(kind) : "?");
	}
	return 0;
}

/* Unlike others, the kernel answers with messages of the type of the request. */
static int list_actions(struct filters *f, const char *kind)
{
	struct tcamsg head = { .tca_family = AF_UNSPEC };
	const struct netlink_answer answer = { .type = RTM_GETACTION, .fn = see_actions, .arg = &f->actions };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETACTION, NLM_F_DUMP);
	struct nlattr *tab = NULL, *first = NULL;

	if (msg && !nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO))
		tab = nla_nest_start(msg, TCA_ACT_TAB);
	if (tab)
		first = nla_nest_start(msg, 1);
	if (first && !nla_put_string(msg, TCA_ACT_KIND, kind)) {
		nla_nest_end(msg, first);
		nla_nest_end(msg, tab);
		return netlink_list(f->route, msg, &answer);
	}
	nlmsg_free(msg);
	return -ENOMEM;
}

int net_refuse_filters(struct dump *dump, const struct ns *ns, struct nl_sock *route,
		       const struct net_messages lists[2])
{
	struct filters f = { .route = route,
			     .filters = { dump, ns, "the traffic control filter ", "delete it (tc filter del)", false },
			     .actions = { dump, ns, "the traffic control action ",
					  "delete it (tc actions flush action KIND)", false } };
	int err = 0;

	for (size_t i = 0; !err && i < 2; i++)
		err = net_messages_each(&lists[i], see_object, &f);
	for (size_t i = 0; !err && i < ARRAY_SIZE(actions); i++)
		err = list_actions(&f, actions[i]);
	/* A kernel without traffic control. */
	return err && err != -EOPNOTSUPP ?
		       fail(err, "list the traffic control filters and actions of network namespace %u", ns->id) :
		       0;
}
