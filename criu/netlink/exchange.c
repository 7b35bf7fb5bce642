// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/exchange.h"
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

/* The kernel fills what the reader has room for, up to 32K at once. */
#define ROOM 65536u

/* libnl's own numbers say less than errno, which a failed system call leaves: it is 0 before each call. */
static int error_of(int nle)
{
	if (errno)
		return -errno;
	return nle == -NLE_NOMEM ? -ENOMEM : nle == -NLE_MSG_TRUNC ? -EMSGSIZE : -EPROTO;
}

int netlink_open(int protocol, struct nl_sock **ret)
{
	_cleanup_netlink_ struct nl_sock *sk = nl_socket_alloc();
	int nle;

	if (!sk)
		return -ENOMEM;
	/* What answers a request says so itself; room for every message saves a second call that asks for its size. */
	nl_socket_disable_auto_ack(sk);
	nl_socket_disable_msg_peek(sk);
	nl_socket_set_msg_buf_size(sk, ROOM);
	errno = 0;
	nle = nl_connect(sk, protocol);
	if (nle < 0)
		return error_of(nle);
	*ret = sk;
	sk = NULL;
	return 0;
}

void netlink_close(struct nl_sock **sk)
{
	nl_socket_free(*sk);
	*sk = NULL;
}

int netlink_send(struct nl_sock *sk, struct nl_msg *msg)
{
	int nle;

	errno = 0;
	nle = nl_send_auto(sk, msg);
	return nle < 0 ? error_of(nle) : 0;
}

/* Of NLMSG_ERROR, and of NLMSG_DONE, which may have none. */
static int reported_error(const struct nlmsghdr *message)
{
	int err = 0;

	if (nlmsg_valid_hdr(message, sizeof(err)))
		memcpy(&err, nlmsg_data(message), sizeof(err));
	return err;
}

int netlink_parse(const void *messages, size_t len, const struct netlink_answer *answer)
{
	struct nlmsghdr *message = (struct nlmsghdr *)messages;
	int left = (int)len, err = 0;

	for (; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
			err = reported_error(message);
			return err < 0 ? err : message->nlmsg_type == NLMSG_DONE ? 1 : -EBADMSG;
		}
		if (message->nlmsg_type == answer->type)
			err = answer->fn(message, answer->arg);
		if (err)
			return err;
	}
	return left > 0 ? -EBADMSG : 0;
}

int netlink_receive(struct nl_sock *sk, const struct netlink_answer *answer)
{
	_cleanup_free_ unsigned char *messages = NULL;
	struct sockaddr_nl from;
	int len;

	errno = 0;
	len = nl_recv(sk, &from, &messages, NULL);
	return len <= 0 ? error_of(len) : netlink_parse(messages, (size_t)len, answer);
}

int netlink_receive_all(struct nl_sock *sk, const struct netlink_answer *answer)
{
	int err = 0;

	while (!err)
		err = netlink_receive(sk, answer);
	return err < 0 ? err : 0;
}

int netlink_attributes(struct nlmsghdr *message, int header, struct nlattr **tb, int max,
		       const struct nla_policy *policy)
{
	const struct nlattr *attr;
	int left;

	if (!nlmsg_valid_hdr(message, header))
		return -EBADMSG;
	/* nlmsg_parse() would pass over what is left behind the last whole one. */
	nlmsg_for_each_attr(attr, message, header, left);
	if (left > 0)
		return -EBADMSG;
	return nlmsg_parse(message, header, tb, max, policy) < 0 ? -EBADMSG : 0;
}
