// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long neighbours of a device are used, how often they are asked for...: /proc/sys/net/ipv4/neigh and ipv6/neigh, with 17 files
 * for each device and family, which rtnetlink reports in one list.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "internal.h"
#include "util/log.h"

/* Those that are only reported (NDTPA_REACHABLE_TIME is chosen at random), or follow from others. */
#define READ_ONLY \
	(BIT(NDTPA_IFINDEX) | BIT(NDTPA_REFCNT) | BIT(NDTPA_REACHABLE_TIME) | BIT(NDTPA_QUEUE_LEN) | BIT(NDTPA_PAD))

static const struct nlattr *params_of(const struct nlmsghdr *message)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct ndtmsg), NDTA_PARMS);
}

/* 0: those of no device. */
static uint32_t device_of(const struct nlmsghdr *message)
{
	const struct nlattr *index = netlink_nested(params_of(message), NDTPA_IFINDEX);

	return index && nla_len(index) >= (int)sizeof(uint32_t) ? nla_get_u32((struct nlattr *)index) : 0;
}

static int family_of(const struct nlmsghdr *message)
{
	return ((const struct ndtmsg *)nlmsg_data(message))->ndtm_family;
}

static int keep(struct nlmsghdr *message, void *arg)
{
	return device_of(message) ? route_keep(arg, message) : 0;
}

int net_neighbour_tables_list(struct nl_sock *route, struct buf *to)
{
	const struct ndtmsg head = { .ndtm_family = AF_UNSPEC };
	int err = route_list(route, &(struct route_query){ RTM_GETNEIGHTBL, &head, sizeof(head), keep, to });

	return err ? fail(err, "list the settings of neighbour tables (rtnetlink, RTM_GETNEIGHTBL)") : 0;
}

ARRAY_OF(table_array, const struct nlmsghdr *);

struct filling {
	struct table_array now;
	size_t at; /* the lists have the same order */
	struct route_batch batch;
};

static int add(const struct nlmsghdr *message, void *arg)
{
	return array_add(&((struct filling *)arg)->now, message);
}

static const struct nlmsghdr *find_now(struct filling *f, const struct nlmsghdr *saved)
{
	for (size_t i = 0; i < f->now.n; i++) {
		const struct nlmsghdr *now = f->now.v[(f->at + i) % f->now.n];

		if (device_of(now) != device_of(saved) || family_of(now) != family_of(saved))
			continue;
		f->at = (f->at + i + 1) % f->now.n;
		return now;
	}
	return NULL;
}

static bool differs(const struct nlattr *saved, const struct nlattr *params)
{
	const struct nlattr *now = netlink_nested(params, nla_type(saved));

	return nla_type(saved) < 64 && !(READ_ONLY & BIT(nla_type(saved))) && now &&
	       (nla_len(now) != nla_len(saved) || memcmp(nla_data(now), nla_data(saved), (size_t)nla_len(now)));
}

/* Only what differs: what has been set once does not follow `default` any more. */
static int request(const struct nlmsghdr *saved, void *arg)
{
	struct filling *f = arg;
	const struct ndtmsg head = { .ndtm_family = (uint8_t)family_of(saved) };
	const struct nlattr *name = nlmsg_find_attr((struct nlmsghdr *)saved, sizeof(head), NDTA_NAME), *params, *attr;
	const struct nlmsghdr *now = device_of(saved) ? find_now(f, saved) : NULL;
	struct nlattr *nest = NULL;
	int left;

	if (!now || !name)
		return 0;
	params = params_of(saved);
	nla_for_each_nested(attr, (struct nlattr *)params, left)
	{
		if (!differs(attr, params_of(now)))
			continue;
		if (!nest) {
			route_message(&f->batch, RTM_SETNEIGHTBL, 0, &head, sizeof(head));
			route_attr(&f->batch, NDTA_NAME, nla_data(name), (size_t)nla_len(name));
			nest = route_nest(&f->batch, NDTA_PARMS);
			route_attr_u32(&f->batch, NDTPA_IFINDEX, device_of(saved));
		}
		route_attr(&f->batch, nla_type(attr), nla_data(attr), (size_t)nla_len(attr));
	}
	if (nest) {
		route_nest_end(&f->batch, nest);
		route_message_end(&f->batch);
	}
	return 0;
}

int net_neighbour_tables_fill(const struct net_state *state)
{
	const struct net_messages *saved = &state->lists[NET_NEIGHBOUR_TABLES];
	_cleanup_buf_ struct buf text = { 0 };
	struct filling f = { .at = 0 };
	int err = saved->len ? net_neighbour_tables_list(state->route, &text) : 0;

	/* Images without them have sysctls. */
	if (err || !saved->len)
		return err;
	err = net_messages_each(&(struct net_messages){ text.data, text.len }, add, &f);
	if (!err)
		err = net_messages_each(saved, request, &f);
	if (err)
		fail(err, "settings of neighbour tables");
	else if (f.batch.nr)
		err = route_batch_run(&f.batch, state->route, net_failed,
				      (void *)"restore the settings of neighbour tables");
	route_batch_free(&f.batch);
	array_free(&f.now);
	return err;
}
