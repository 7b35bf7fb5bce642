/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink with libnl-3: sockets, requests and replies. libnl has objects for what rtnetlink(7) and conntrack report,
 * but not for what is needed here: sock_diag(7) (libnl-idiag only supports TCP) and nf_tables. So messages are built
 * and parsed with its nlmsg_* and nla_* functions. Its callbacks are not used: they map the kernel's errnos to a few
 * error numbers of libnl. Functions return 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct nl_msg;
struct nl_sock;
struct nla_policy;
struct nlattr;
struct nlmsghdr;

/* Opens a socket of that protocol (NETLINK_SOCK_DIAG, ...) in the caller's network namespace. */
int netlink_open(int protocol, struct nl_sock **ret);
/* Closes *@sk unless it is NULL, and sets it to NULL. */
void netlink_close(struct nl_sock **sk);
#define _cleanup_netlink_ __attribute__((cleanup(netlink_close)))

int netlink_fd(const struct nl_sock *sk);
/* Moves its descriptor to @min or above. */
int netlink_move_above(struct nl_sock **sk, int protocol, int min);

/* Sends the request @msg, which remains owned by the caller. */
int netlink_send(struct nl_sock *sk, struct nl_msg *msg);

/* Called for one message of a reply. A nonzero return value stops reading. */
typedef int (*netlink_message)(struct nlmsghdr *message, void *arg);

/* A reply: messages of this type, each of which is passed to @fn. */
struct netlink_answer {
	int type;
	netlink_message fn;
	void *arg;
};

/*
 * Parses messages as the kernel sends them: 1 after the last one, 0 if more must follow. Errors reported by the kernel
 * are returned; -EBADMSG: invalid messages.
 */
int netlink_parse(const void *messages, size_t len, const struct netlink_answer *answer);
/* The same for one receive call. */
int netlink_receive(struct nl_sock *sk, const struct netlink_answer *answer);
/* Receives until after the last message. */
int netlink_receive_all(struct nl_sock *sk, const struct netlink_answer *answer);

/*
 * Sends the request @msg, which is freed (NULL: -ENOMEM), and passes the whole list to @answer->fn, when it is complete: that may use
 * the socket, too. The list is read again if the objects have changed meanwhile; -EAGAIN: that often.
 */
#define NETLINK_LIST_ATTEMPTS 20
int netlink_list(struct nl_sock *sk, struct nl_msg *msg, const struct netlink_answer *answer);

/* Appends a copy of the message to @to, with the padding that has to follow it. -ENOMEM */
int netlink_append(struct buf *to, const struct nlmsghdr *message);
/* The attribute of that type in @in, which may be NULL; NULL: there is none. */
const struct nlattr *netlink_nested(const struct nlattr *in, int type);

/*
 * Transactions: many messages, sent at once, executed and answered before the sending call returns. Messages with
 * NLM_F_ACK, and all that fail, are answered.
 */
int netlink_prepare_transactions(struct nl_sock *sk);
int netlink_send_transaction(struct nl_sock *sk, void *messages, size_t len);
/* From now on, receiving waits again. */
int netlink_end_transactions(struct nl_sock *sk);
/*
 * Reads all pending answers: 0, the first error, or -EPROTO if there are none. @ret_failed: the sequence number of the message
 * with that error; 0: unknown.
 */
int netlink_receive_acks(struct nl_sock *sk, uint32_t *ret_failed);

/*
 * The same, for messages that are independent of each other: @fn is called for each that failed, and returns 0 if that
 * is no failure of the whole. @why: the kernel's explanation, "" if there is none. Returns the first other value; nothing
 * was answered: 0.
 */
typedef int (*netlink_failure)(void *arg, uint32_t seq, int err, const char *why);
int netlink_receive_failures(struct nl_sock *sk, netlink_failure fn, void *arg);
/* Failures are explained. */
void netlink_want_reasons(struct nl_sock *sk);

/* The attributes after a header of @header bytes, by number: tb[0] to tb[max]. -EBADMSG */
int netlink_attributes(struct nlmsghdr *message, int header, struct nlattr **tb, int max,
		       const struct nla_policy *policy);
