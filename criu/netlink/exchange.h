/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink by libnl-3: sockets, requests and the messages that answer them. libnl has objects for what rtnetlink(7) and
 * conntrack report, not for what is asked here: sock_diag(7) (libnl-idiag knows TCP alone) and nf_tables. So messages are
 * built and taken apart by its nlmsg_* and nla_* functions. Its callbacks are not used: they turn each errno of the kernel
 * into one of a few numbers of libnl's own. 0 or a negative errno.
 */
#pragma once
#include <stddef.h>

struct nl_msg;
struct nl_sock;
struct nla_policy;
struct nlattr;
struct nlmsghdr;

/* A socket of that protocol (NETLINK_SOCK_DIAG, ...) in the caller's network namespace. */
int netlink_open(int protocol, struct nl_sock **ret);
/* Closes @sk unless it is NULL, which it becomes. */
void netlink_close(struct nl_sock **sk);
#define _cleanup_netlink_ __attribute__((cleanup(netlink_close)))

int netlink_fd(const struct nl_sock *sk);
/* Its descriptor gets a number from @min on. */
int netlink_move_above(struct nl_sock **sk, int protocol, int min);

/* Sends @msg, a request, which stays the caller's. */
int netlink_send(struct nl_sock *sk, struct nl_msg *msg);

/* One message of an answer. A return value other than 0 ends the reading. */
typedef int (*netlink_message)(struct nlmsghdr *message, void *arg);

/* What an answer consists of: messages of this type, each of which goes to @fn. */
struct netlink_answer {
	int type;
	netlink_message fn;
	void *arg;
};

/*
 * Messages as the kernel sends them: 1 after the last one, 0 when more must follow. An error that the kernel reports is
 * returned; -EBADMSG: these are not the kernel's.
 */
int netlink_parse(const void *messages, size_t len, const struct netlink_answer *answer);
/* The same of what can be received at once. */
int netlink_receive(struct nl_sock *sk, const struct netlink_answer *answer);
/* Until after the last message. */
int netlink_receive_all(struct nl_sock *sk, const struct netlink_answer *answer);

/*
 * Transactions: many messages, sent at once, carried out and answered before the sending call returns. Those of them that
 * have NLM_F_ACK, and all that fail, are answered.
 */
int netlink_prepare_transactions(struct nl_sock *sk);
int netlink_send_transaction(struct nl_sock *sk, void *messages, size_t len);
/* All answers there are: 0, the first error, or -EPROTO if there is none at all. */
int netlink_receive_acks(struct nl_sock *sk);

/* The attributes behind a fixed part of @header bytes, by number: tb[0] to tb[max]. -EBADMSG */
int netlink_attributes(struct nlmsghdr *message, int header, struct nlattr **tb, int max,
		       const struct nla_policy *policy);
