/* SPDX-License-Identifier: GPL-2.0-only */
/* Common part of all sock_diag queries. sock_diag(7). Functions return 0 or a negative errno. */
#pragma once
#include <stddef.h>
#include "netlink/exchange.h"

/* A request (struct inet_diag_req_v2, ...), and the callback for each answer. */
struct sock_diag_query {
	void *request;
	size_t len;
	netlink_message fn;
	void *arg;
};

/* A netlink socket for several queries. */
int sock_diag_open(struct nl_sock **ret);
/* Sends the query in the caller's network namespace, and reads all answers. */
int sock_diag_ask(const struct sock_diag_query *query);
/* The same for a request about a single socket. */
int sock_diag_ask_one(struct nl_sock *sk, const struct sock_diag_query *query);
/* Parses messages as the kernel sends them; see netlink_parse(). */
int sock_diag_parse(const void *messages, size_t len, netlink_message fn, void *arg);
