/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sock_diag queries share: the question, and who reads the answers. sock_diag(7). 0 or a negative errno. */
#pragma once
#include <stddef.h>
#include "netlink/exchange.h"

/* A request (struct inet_diag_req_v2, ...), and what is called with each answer to it. */
struct sock_diag_query {
	void *request;
	size_t len;
	netlink_message fn;
	void *arg;
};

/* A netlink socket for many questions. */
int sock_diag_open(struct nl_sock **ret);
/* Asks in the caller's network namespace, and reads all answers. */
int sock_diag_ask(const struct sock_diag_query *query);
/* The same for the one socket that the request names. */
int sock_diag_ask_one(struct nl_sock *sk, const struct sock_diag_query *query);
/* Messages as the kernel sends them; as netlink_parse(). */
int sock_diag_parse(const void *messages, size_t len, netlink_message fn, void *arg);
