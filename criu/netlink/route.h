/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnetlink(7): devices, addresses, routes, rules of a network namespace. Messages are kept as the kernel sends them,
 * since images contain them like that, and what we do not know of an object must not get lost: so they are parsed and
 * built with libnl-3's nlmsg_* and nla_*, and libnl-route-3, which turns them into objects with the properties it knows,
 * is not used. A socket acts in the namespace in which it was opened. Functions return 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "netlink/exchange.h"
#include "util/str.h"

int route_open(struct nl_sock **ret);
/* Like netlink_list(): all objects of that type: @type is RTM_GET..., @header its fixed header, of @len bytes. */
struct route_query {
	int type;
	const void *header;
	size_t len;
	netlink_message fn;
	void *arg;
};
int route_list(struct nl_sock *sk, const struct route_query *query);
/* The same with attributes (all of them, aligned) after the header. */
int route_list_with(struct nl_sock *sk, const struct route_query *query, const void *attributes, size_t len);
/* Appends the message, and what aligns the next one. */
int route_keep(struct buf *to, const struct nlmsghdr *message);

/* Many requests, sent together. They are executed in order, each of them independently. The first error is sticky. */
struct route_batch {
	struct buf bytes; /* complete messages */
	struct nl_msg *msg; /* the current one */
	uint32_t nr; /* number of messages: the next one's sequence number */
	int err;
	uint32_t too_long; /* -EMSGSIZE: number of the message */
};

/* A message of @type (RTM_NEW...) with @flags (NLM_F_CREATE...) begins; @header, of @len bytes. */
void route_message(struct route_batch *b, int type, int flags, const void *header, size_t len);
void route_attr(struct route_batch *b, int type, const void *data, size_t len);
void route_attr_u32(struct route_batch *b, int type, uint32_t value);
void route_attr_str(struct route_batch *b, int type, const char *s);
/* Attributes that are encoded already. */
void route_attrs(struct route_batch *b, const void *attributes, size_t len);
struct nlattr *route_nest(struct route_batch *b, int type);
void route_nest_end(struct route_batch *b, struct nlattr *nest);
void route_message_end(struct route_batch *b);
/* A whole message: @payload is its header and attributes. */
void route_copy(struct route_batch *b, int type, int flags, const void *payload, size_t len);
/*
 * Executes and frees all messages. @fn is called for each that failed (they are counted from 0), and returns 0 if that does not
 * matter. Returns the first error that does.
 */
int route_batch_run(struct route_batch *b, struct nl_sock *sk, netlink_failure fn, void *arg);
void route_batch_free(struct route_batch *b);
#define _cleanup_route_batch_ __attribute__((cleanup(route_batch_free)))
