// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/sock_diag.h"
#include <errno.h>
#include <linux/sock_diag.h>
#include <netlink/msg.h>

int sock_diag_open(struct nl_sock **ret)
{
	return netlink_open(NETLINK_SOCK_DIAG, ret);
}

static int send_request(struct nl_sock *sk, const struct sock_diag_query *query, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_simple(SOCK_DIAG_BY_FAMILY, flags);
	int err = msg && !nlmsg_append(msg, query->request, query->len, NLMSG_ALIGNTO) ? 0 : -ENOMEM;

	if (!err)
		err = netlink_send(sk, msg);
	nlmsg_free(msg);
	return err;
}

static struct netlink_answer answer_to(const struct sock_diag_query *query)
{
	return (struct netlink_answer){ .type = SOCK_DIAG_BY_FAMILY, .fn = query->fn, .arg = query->arg };
}

int sock_diag_ask(const struct sock_diag_query *query)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL;
	struct netlink_answer answer = answer_to(query);
	int err = sock_diag_open(&sk);

	if (!err)
		err = send_request(sk, query, NLM_F_DUMP);
	return err ? err : netlink_receive_all(sk, &answer);
}

int sock_diag_ask_one(struct nl_sock *sk, const struct sock_diag_query *query)
{
	struct netlink_answer answer = answer_to(query);
	int err = send_request(sk, query, 0);

	/* There is no NLMSG_DONE after a single answer. */
	if (!err)
		err = netlink_receive(sk, &answer);
	return err < 0 ? err : 0;
}

int sock_diag_parse(const void *messages, size_t len, netlink_message fn, void *arg)
{
	struct netlink_answer answer = { .type = SOCK_DIAG_BY_FAMILY, .fn = fn, .arg = arg };

	return netlink_parse(messages, len, &answer);
}
