// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/generic.h"
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

static int see_family(struct nlmsghdr *message, void *arg)
{
	const struct nlattr *id = nlmsg_find_attr(message, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID);

	*(int *)arg = id ? nla_get_u16((struct nlattr *)id) : 0;
	return 1;
}

struct nl_msg *generic_request(int family, int flags, uint8_t command)
{
	const struct genlmsghdr head = { .cmd = command, .version = 1 };
	struct nl_msg *msg = nlmsg_alloc_simple(family, flags);

	if (msg && !nlmsg_append(msg, (void *)&head, sizeof(head), NLMSG_ALIGNTO))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int generic_ask(struct nl_sock *sk, struct nl_msg *msg, const struct netlink_answer *answer)
{
	int err = msg ? netlink_send(sk, msg) : -ENOMEM;

	nlmsg_free(msg);
	if (!err)
		err = netlink_receive(sk, answer);
	return err < 0 ? err : 0;
}

int generic_open(const char *name, struct nl_sock **ret, int *ret_family)
{
	const struct netlink_answer answer = { GENL_ID_CTRL, see_family, ret_family };
	struct nl_msg *msg = generic_request(GENL_ID_CTRL, NLM_F_REQUEST, CTRL_CMD_GETFAMILY);
	int err = netlink_open(NETLINK_GENERIC, ret);

	*ret_family = 0;
	if (!err && msg && nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, name))
		err = -ENOMEM;
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	err = generic_ask(*ret, msg, &answer);
	return err == -ENOENT ? 0 : err;
}
