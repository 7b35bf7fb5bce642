// SPDX-License-Identifier: GPL-2.0-only
/* Labels of IPv6 addresses, by which source addresses are chosen: ip-addrlabel(8). A new namespace has those of RFC 6724. */
#include <errno.h>
#include <linux/if_addrlabel.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "internal.h"
#include "util/log.h"

static int keep_label(struct nlmsghdr *message, void *arg)
{
	((struct ifaddrlblmsg *)nlmsg_data(message))->ifal_seq = 0; /* of the whole list */
	return route_keep(arg, message);
}

int net_labels_list(struct nl_sock *route, struct buf *to)
{
	const struct ifaddrlblmsg head = { .ifal_family = AF_INET6 };
	int err = route_list(route, &(struct route_query){ RTM_GETADDRLABEL, &head, sizeof(head), keep_label, to });

	/* A kernel without IPv6. */
	return err && err != -EOPNOTSUPP ? fail(err, "list the labels of IPv6 addresses") : 0;
}

/* One list as requests, but for what the other one has. */
struct difference {
	struct route_batch *batch;
	const struct net_messages *other;
	const struct nlmsghdr *message;
	int type;
};

static int is_same(const struct nlmsghdr *message, void *arg)
{
	const struct difference *d = arg;

	return message->nlmsg_len == d->message->nlmsg_len &&
	       !memcmp(nlmsg_data(message), nlmsg_data(d->message), (size_t)nlmsg_datalen(message));
}

static int request(const struct nlmsghdr *message, void *arg)
{
	struct difference *d = arg;
	int found;

	d->message = message;
	found = net_messages_each(d->other, is_same, d);
	if (found)
		return found < 0 ? found : 0;
	route_copy(d->batch, d->type, d->type == RTM_NEWADDRLABEL ? NLM_F_CREATE | NLM_F_EXCL : 0, nlmsg_data(message),
		   (size_t)nlmsg_datalen(message));
	return 0;
}

int net_labels_fill(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	_cleanup_buf_ struct buf text = { 0 };
	const struct net_messages *saved = &state->lists[NET_LABELS];
	struct net_messages now;
	int err;

	/* Images of CRIU do not have them. */
	if (!saved->len)
		return 0;
	err = net_labels_list(state->route, &text);
	now = (struct net_messages){ text.data, text.len };
	if (!err)
		err = net_messages_each(&now, request, &(struct difference){ &b, saved, NULL, RTM_DELADDRLABEL });
	if (!err)
		err = net_messages_each(saved, request, &(struct difference){ &b, &now, NULL, RTM_NEWADDRLABEL });
	if (err)
		return fail(err, "labels of IPv6 addresses");
	return b.nr ? route_batch_run(&b, state->route, net_failed, (void *)"restore the labels of IPv6 addresses") : 0;
}
