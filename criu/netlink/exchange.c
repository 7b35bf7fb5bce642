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
#include "util/fds.h"

/* The kernel fills the reader's buffer, up to 32K at once. */
#define ROOM 65536u

/* errno of a failed system call is more specific than libnl's error numbers: it is set to 0 before each call. */
static int error_of(int nle)
{
	if (errno)
		return -errno;
	return nle == -NLE_NOMEM ? -ENOMEM : nle == -NLE_MSG_TRUNC ? -EMSGSIZE : -EPROTO;
}

static struct nl_sock *new_socket(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk)
		return NULL;
	/* Requests get an answer anyway; a sufficient buffer saves a second call to query the message size. */
	nl_socket_disable_auto_ack(sk);
	nl_socket_disable_msg_peek(sk);
	nl_socket_set_msg_buf_size(sk, ROOM);
	return sk;
}

int netlink_open(int protocol, struct nl_sock **ret)
{
	_cleanup_netlink_ struct nl_sock *sk = new_socket();
	int nle;

	if (!sk)
		return -ENOMEM;
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

int netlink_fd(const struct nl_sock *sk)
{
	return nl_socket_get_fd(sk);
}

int netlink_move_above(struct nl_sock **sk, int protocol, int min)
{
	_cleanup_netlink_ struct nl_sock *moved = NULL;
	_cleanup_close_ int fd = -1;
	int nle;

	if (netlink_fd(*sk) >= min)
		return 0;
	moved = new_socket();
	if (!moved)
		return -ENOMEM;
	fd = dup_fd_above(netlink_fd(*sk), min);
	if (fd < 0)
		return fd;
	errno = 0;
	nle = nl_socket_set_fd(moved, protocol, fd);
	if (nle < 0)
		return error_of(nle);
	fd = -1;
	netlink_close(sk);
	*sk = moved;
	moved = NULL;
	return 0;
}

int netlink_send(struct nl_sock *sk, struct nl_msg *msg)
{
	int nle;

	errno = 0;
	nle = nl_send_auto(sk, msg);
	return nle < 0 ? error_of(nle) : 0;
}

/* The error in NLMSG_ERROR, or in NLMSG_DONE, which may have none. */
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

/* The objects changed while the kernel listed them: some may be missing, or be listed twice. */
static bool is_interrupted(const unsigned char *messages, int len)
{
	struct nlmsghdr *message = (struct nlmsghdr *)messages;

	for (; nlmsg_ok(message, len); message = nlmsg_next(message, &len))
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			return true;
	return false;
}

static int receive(struct nl_sock *sk, const struct netlink_answer *answer, bool *interrupted)
{
	_cleanup_free_ unsigned char *messages = NULL;
	struct sockaddr_nl from;
	int len;

	errno = 0;
	len = nl_recv(sk, &from, &messages, NULL);
	if (len <= 0)
		return error_of(len);
	*interrupted |= is_interrupted(messages, len);
	return netlink_parse(messages, (size_t)len, answer);
}

int netlink_receive(struct nl_sock *sk, const struct netlink_answer *answer)
{
	bool interrupted = false;

	return receive(sk, answer, &interrupted);
}

/* @ret_interrupted: the objects changed meanwhile, so the list may be incomplete (NLM_F_DUMP_INTR). */
static int receive_list(struct nl_sock *sk, const struct netlink_answer *answer, bool *ret_interrupted)
{
	int err = 0;

	*ret_interrupted = false;
	while (!err)
		err = receive(sk, answer, ret_interrupted);
	return err < 0 ? err : 0;
}

int netlink_receive_all(struct nl_sock *sk, const struct netlink_answer *answer)
{
	bool interrupted;

	return receive_list(sk, answer, &interrupted);
}

int netlink_append(struct buf *to, const struct nlmsghdr *message)
{
	static const char zeros[NLMSG_ALIGNTO];
	int err = buf_add(to, message, message->nlmsg_len);

	return err ? err : buf_add(to, zeros, NLMSG_ALIGN(message->nlmsg_len) - message->nlmsg_len);
}

static int collect(struct nlmsghdr *message, void *arg)
{
	return netlink_append(arg, message);
}

int netlink_list(struct nl_sock *sk, struct nl_msg *msg, const struct netlink_answer *answer)
{
	_cleanup_buf_ struct buf all = { 0 };
	const struct netlink_answer collected = { .type = answer->type, .fn = collect, .arg = &all };
	bool interrupted = true;
	int err = msg ? 0 : -ENOMEM;

	/* Processes outside of the tree may change the objects. */
	for (int i = 0; !err && interrupted && i < NETLINK_LIST_ATTEMPTS; i++) {
		all.len = 0;
		nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
		err = netlink_send(sk, msg);
		if (!err)
			err = receive_list(sk, &collected, &interrupted);
	}
	nlmsg_free(msg);
	if (!err && interrupted)
		err = -EAGAIN;
	for (size_t at = 0; !err && at < all.len;) {
		struct nlmsghdr *message = (struct nlmsghdr *)(all.data + at);

		at += NLMSG_ALIGN(message->nlmsg_len);
		err = answer->fn(message, answer->arg);
	}
	return err;
}

const struct nlattr *netlink_nested(const struct nlattr *in, int type)
{
	return in ? nla_find(nla_data(in), nla_len(in), type) : NULL;
}

int netlink_prepare_transactions(struct nl_sock *sk)
{
	int room = 1 << 20, nle;

	/* Every failed message of a transaction is answered. */
	setsockopt(netlink_fd(sk), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	errno = 0;
	nle = nl_socket_set_nonblocking(sk);
	return nle < 0 ? error_of(nle) : 0;
}

int netlink_end_transactions(struct nl_sock *sk)
{
	int fd = netlink_fd(sk), flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int netlink_send_transaction(struct nl_sock *sk, void *messages, size_t len)
{
	int room = (int)len + (1 << 16), nle;

	if (setsockopt(netlink_fd(sk), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(netlink_fd(sk), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	errno = 0;
	nle = nl_sendto(sk, messages, len);
	return nle < 0 ? error_of(nle) : 0;
}

struct acks {
	bool any;
	int err; /* the first one */
	uint32_t failed; /* its message */
};

/* The header of the message follows the error. */
static uint32_t failed_number(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = nlmsg_data(message);

	return nlmsg_valid_hdr(message, sizeof(*error)) ? error->msg.nlmsg_seq : 0;
}

static int parse_acks(const unsigned char *messages, int len, struct acks *acks)
{
	struct nlmsghdr *message = (struct nlmsghdr *)messages;

	for (; nlmsg_ok(message, len); message = nlmsg_next(message, &len)) {
		if (message->nlmsg_type != NLMSG_ERROR)
			continue;
		if (!nlmsg_valid_hdr(message, sizeof(int)) || reported_error(message) > 0)
			return -EBADMSG;
		acks->any = true;
		if (acks->err || !reported_error(message))
			continue;
		acks->err = reported_error(message);
		acks->failed = failed_number(message);
	}
	return len > 0 ? -EBADMSG : 0;
}

int netlink_receive_acks(struct nl_sock *sk, uint32_t *ret_failed)
{
	struct acks acks = { .any = false };
	int err = 0;

	while (!err) {
		_cleanup_free_ unsigned char *messages = NULL;
		struct sockaddr_nl from;
		int len;

		errno = 0;
		len = nl_recv(sk, &from, &messages, NULL);
		err = len <= 0 ? error_of(len) : parse_acks(messages, len, &acks);
	}
	*ret_failed = acks.failed;
	if (err != -EAGAIN)
		return err;
	return acks.any ? acks.err : -EPROTO;
}

void netlink_want_reasons(struct nl_sock *sk)
{
	int on = 1;

	/* Without the request, the reasons follow the header at once. */
	setsockopt(netlink_fd(sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(netlink_fd(sk), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

static const char *reason_in(struct nlmsghdr *message)
{
	const struct nlattr *text = NULL;

	if ((message->nlmsg_flags & NLM_F_ACK_TLVS) && (message->nlmsg_flags & NLM_F_CAPPED) &&
	    nlmsg_valid_hdr(message, sizeof(struct nlmsgerr)))
		text = nlmsg_find_attr(message, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
	/* Terminated by the kernel. */
	return text && nla_len(text) && !((const char *)nla_data(text))[nla_len(text) - 1] ? nla_data(text) : "";
}

static int pass_failures(const unsigned char *messages, int len, netlink_failure fn, void *arg)
{
	struct nlmsghdr *message = (struct nlmsghdr *)messages;
	int first = 0;

	for (; nlmsg_ok(message, len); message = nlmsg_next(message, &len)) {
		int err = message->nlmsg_type == NLMSG_ERROR ? reported_error(message) : 0;

		err = err ? fn(arg, message->nlmsg_seq, err, reason_in(message)) : 0;
		first = first ? first : err;
	}
	return first;
}

int netlink_receive_failures(struct nl_sock *sk, netlink_failure fn, void *arg)
{
	int first = 0;

	while (1) {
		_cleanup_free_ unsigned char *messages = NULL;
		struct sockaddr_nl from;
		int len, err;

		errno = 0;
		len = nl_recv(sk, &from, &messages, NULL);
		if (len <= 0)
			return errno == EAGAIN || !len ? first : error_of(len);
		err = pass_failures(messages, len, fn, arg);
		first = first ? first : err;
	}
}

int netlink_attributes(struct nlmsghdr *message, int header, struct nlattr **tb, int max,
		       const struct nla_policy *policy)
{
	const struct nlattr *attr;
	int left;

	if (!nlmsg_valid_hdr(message, header))
		return -EBADMSG;
	/* nlmsg_parse() would ignore trailing bytes after the last complete attribute. */
	nlmsg_for_each_attr(attr, message, header, left);
	if (left > 0)
		return -EBADMSG;
	return nlmsg_parse(message, header, tb, max, policy) < 0 ? -EBADMSG : 0;
}
