// SPDX-License-Identifier: GPL-2.0-only
/*
 * The numbers by which a network namespace knows others (nsids): programs see them in answers of the kernel, and devices
 * refer to their peers by them.
 */
#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kernel/net_ns.h"
#include "util/log.h"

static int see_id(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *nsid = nlmsg_find_attr(message, sizeof(struct rtgenmsg), NETNSA_NSID);

	*(int32_t *)arg = nsid ? (int32_t)nla_get_u32((struct nlattr *)nsid) : NETNSA_NSID_NOT_ASSIGNED;
	return 1;
}

/* NETNSA_NSID_NOT_ASSIGNED: none. */
static int ask(struct nl_sock *route, int ns, int32_t *ret_id)
{
	const struct rtgenmsg head = { .rtgen_family = AF_UNSPEC };
	struct netlink_answer answer = { .type = RTM_NEWNSID, .fn = see_id, .arg = ret_id };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST);
	const uint32_t fd = (uint32_t)ns;
	int err = msg && !nlmsg_append(msg, (void *)&head, sizeof(head), NLMSG_ALIGNTO) &&
				  !nla_put_u32(msg, NETNSA_FD, fd) ?
			  0 :
			  -ENOMEM;

	if (!err)
		err = netlink_send(route, msg);
	nlmsg_free(msg);
	if (!err)
		err = netlink_receive(route, &answer);
	return err < 0 ? err : 0;
}

static int add(struct dump *dump, NetnsEntry *entry, size_t room, uint32_t target, int32_t value)
{
	NetnsId *id = dump_alloc(dump, sizeof(*id));

	if (!entry->nsids)
		entry->nsids = dump_alloc(dump, room * sizeof(NetnsId *));
	if (!id || !entry->nsids)
		return fail(-ENOMEM, "network namespaces");
	netns_id__init(id);
	id->target_ns_id = target;
	id->netnsid_value = value;
	entry->nsids[entry->n_nsids++] = id;
	return 0;
}

int net_ids_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, NetnsEntry *entry)
{
	const struct ns *other;
	size_t room = 0;
	int err = 0;

	ns_for_each(other, &dump->namespaces, NS_NET)
		room++;
	ns_for_each(other, &dump->namespaces, NS_NET) {
		_cleanup_close_ int fd = -1;
		int32_t value = NETNSA_NSID_NOT_ASSIGNED;

		if (err || !other->member)
			continue;
		fd = proc_ns_open(&dump_task_of(other->member)->proc, PROC_NS_NET);
		/* During a check the tree runs. */
		if (fd < 0 && dump_is_check(dump))
			continue;
		err = fd < 0 ? fd : ask(route, fd, &value);
		if (err)
			err = fail(err, "the number of network namespace %u in %u", other->id, ns->id);
		else if (value >= 0)
			err = add(dump, entry, room, other->id, value);
	}
	return err;
}

/* ---- restore ---- */

int net_ids_fill(struct restore *r, const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	const struct rtgenmsg head = { .rtgen_family = AF_UNSPEC };

	for (size_t i = 0; i < state->entry->n_nsids; i++) {
		const NetnsId *id = state->entry->nsids[i];
		const struct ns *ns;

		ns_for_each(ns, &r->plan.namespaces, NS_NET) {
			if (ns->id != id->target_ns_id || ns->fd < 0)
				continue;
			route_message(&b, RTM_NEWNSID, 0, &head, sizeof(head));
			route_attr_u32(&b, NETNSA_FD, (uint32_t)ns->fd);
			route_attr_u32(&b, NETNSA_NSID, (uint32_t)id->netnsid_value);
			route_message_end(&b);
		}
	}
	return route_batch_run(&b, state->route, net_failed, "number the other network namespaces");
}
