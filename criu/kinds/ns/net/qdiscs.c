// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queueing disciplines and their classes: tc(8). Of those listed here it is known that the kernel takes their options as it
 * reports them. Others, filters and actions are blockers.
 */
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include "attributes.h"
#include "base/bits.h"
#include "qdiscs.h"
#include "util/array.h"
#include "util/log.h"

static const char *const known[] = { "htb", "tbf", "pfifo", "bfifo", "pfifo_head_drop", "ingress", "clsact" };

ARRAY_OF(tc_objects, const struct nlmsghdr *);

static const struct tcmsg *tc_of(const struct nlmsghdr *message)
{
	return nlmsg_data(message);
}

static struct nlattr *attr_of(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct tcmsg), type);
}

/* The attribute may come from an image, and not be terminated. */
static bool is_string(const struct nlattr *attr, const char *string)
{
	size_t len = strlen(string) + 1;

	return (size_t)nla_len(attr) == len && !memcmp(nla_data(attr), string, len);
}

/* ---- dump ---- */

struct saving {
	struct buf *qdiscs, *classes;
	struct refusing *r;
};

static bool is_known(const struct nlmsghdr *message, const char *kind)
{
	/* TCA_STAB, TCA_INGRESS_BLOCK, TCA_EGRESS_BLOCK */
	static const int cannot[] = { TCA_STAB, 13, 14 };

	for (size_t i = 0; i < ARRAY_SIZE(cannot); i++)
		if (attr_of(message, cannot[i]))
			return false;
	/* An estimator of its rate. */
	if (netlink_nested(attr_of(message, TCA_STATS2), TCA_STATS_RATE_EST))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(kind, known[i]))
			return true;
	return false;
}

static int keep(struct refusing *r, struct buf *to, struct nlmsghdr *message)
{
	struct nlattr *name = attr_of(message, TCA_KIND);
	const char *kind = name ? nla_get_string(name) : "?";

	if (is_known(message, kind))
		return route_keep(to, message);
	net_refuse_object(r, kind);
	return 0;
}

/* Those with a handle have been created by a user. */
static int keep_qdisc(struct nlmsghdr *message, void *arg)
{
	const struct saving *s = arg;

	return tc_of(message)->tcm_handle ? keep(s->r, s->qdiscs, message) : 0;
}

/* The class of a tbf is the discipline in it. */
static int keep_class(struct nlmsghdr *message, void *arg)
{
	const struct saving *s = arg;
	const struct nlattr *kind = attr_of(message, TCA_KIND);

	return kind && is_string(kind, "htb") ? keep(s->r, s->classes, message) : 0;
}

/* Once for each device: its disciplines follow each other. */
struct devices {
	struct nl_sock *route;
	struct saving *saving;
	int last;
};

static int list_classes(const struct nlmsghdr *message, void *arg)
{
	struct devices *d = arg;
	const struct tcmsg head = { .tcm_ifindex = tc_of(message)->tcm_ifindex };

	if (head.tcm_ifindex == d->last)
		return 0;
	d->last = head.tcm_ifindex;
	return route_list(d->route, &(struct route_query){ RTM_GETTCLASS, &head, sizeof(head), keep_class, d->saving });
}

int net_qdiscs_list(struct nl_sock *route, struct refusing *r, struct buf *qdiscs, struct buf *classes)
{
	const struct tcmsg head = { .tcm_family = AF_UNSPEC };
	struct saving saving = { .qdiscs = qdiscs, .classes = classes, .r = r };
	struct devices devices = { .route = route, .saving = &saving };
	int err = route_list(route, &(struct route_query){ RTM_GETQDISC, &head, sizeof(head), keep_qdisc, &saving });

	/* A kernel without traffic control. */
	if (err == -EOPNOTSUPP)
		return 0;
	if (!err)
		err = net_messages_each(&(struct net_messages){ qdiscs->data, qdiscs->len }, list_classes, &devices);
	return err ? fail(err, "list the queueing disciplines of a network namespace") : 0;
}

/* ---- restore ---- */

static int add_object(const struct nlmsghdr *message, void *arg)
{
	return array_add((struct tc_objects *)arg, message);
}

static bool waits_for(const struct tc_objects *all, const struct nlmsghdr *message, int type, uint32_t handle)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i] && all->v[i] != message && all->v[i]->nlmsg_type == type &&
		    tc_of(all->v[i])->tcm_handle == handle &&
		    tc_of(all->v[i])->tcm_ifindex == tc_of(message)->tcm_ifindex)
			return true;
	return false;
}

/* A discipline comes before its classes, a class before those in it: without its parent it would become a root. */
static bool is_ready(const struct tc_objects *all, const struct nlmsghdr *message)
{
	const struct tcmsg *tc = tc_of(message);

	if (message->nlmsg_type == RTM_NEWTCLASS && waits_for(all, message, RTM_NEWQDISC, TC_H_MAJ(tc->tcm_handle)))
		return false;
	if (tc->tcm_parent == TC_H_ROOT || tc->tcm_parent == TC_H_INGRESS)
		return true;
	return !waits_for(all, message, RTM_NEWQDISC, TC_H_MAJ(tc->tcm_parent)) &&
	       !waits_for(all, message, RTM_NEWTCLASS, tc->tcm_parent);
}

/* The kernel reports a version as 0x30011, and takes only 3. */
static void add_htb_options(struct route_batch *b, const struct nlattr *options)
{
	struct nlattr *nest = route_nest(b, TCA_OPTIONS);
	const struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, (struct nlattr *)options, left)
	{
		struct tc_htb_glob init;

		if (nla_type(attr) != TCA_HTB_INIT || nla_len(attr) < (int)sizeof(init)) {
			route_attr(b, nla_type(attr), nla_data(attr), (size_t)nla_len(attr));
			continue;
		}
		memcpy(&init, nla_data(attr), sizeof(init));
		init.version = init.version >> 16 ?: init.version;
		route_attr(b, TCA_HTB_INIT, &init, sizeof(init));
	}
	route_nest_end(b, nest);
}

static void request(struct route_batch *b, const struct nlmsghdr *message)
{
	const struct nlattr *kind = attr_of(message, TCA_KIND), *options = attr_of(message, TCA_OPTIONS);
	struct tcmsg head = *tc_of(message);

	head.tcm_info = 0;
	route_message(b, message->nlmsg_type, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	if (kind)
		route_attr(b, TCA_KIND, nla_data(kind), (size_t)nla_len(kind));
	if (options && message->nlmsg_type == RTM_NEWQDISC && kind && is_string(kind, "htb"))
		add_htb_options(b, options);
	else if (options)
		route_attr(b, options->nla_type, nla_data(options), (size_t)nla_len(options));
	route_message_end(b);
}

/* -EBADMSG: their parents are each other's children. */
static int order(struct route_batch *b, struct tc_objects *all)
{
	for (size_t left = all->n, done; left; left -= done) {
		done = 0;
		for (size_t i = 0; i < all->n; i++) {
			if (!all->v[i] || !is_ready(all, all->v[i]))
				continue;
			request(b, all->v[i]);
			all->v[i] = NULL;
			done++;
		}
		if (!done)
			return fail(-EBADMSG, "a queueing discipline is inside of itself");
	}
	return 0;
}

int net_qdiscs_fill(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	struct tc_objects all = { 0 };
	int err = net_messages_each(&state->lists[NET_QDISCS], add_object, &all);

	if (!err)
		err = net_messages_each(&state->lists[NET_CLASSES], add_object, &all);
	if (err)
		fail(err, "queueing disciplines");
	if (!err && all.n)
		err = order(&b, &all);
	if (!err && all.n)
		err = route_batch_run(&b, state->route, net_failed,
				      (void *)"restore the queueing disciplines of network devices");
	array_free(&all);
	return err;
}
