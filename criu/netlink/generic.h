/* SPDX-License-Identifier: GPL-2.0-only */
/* Generic netlink: families, whose numbers are given at boot. Functions return 0 or a negative errno. */
#pragma once
#include <stdint.h>
#include "netlink/exchange.h"

/*
 * Opens a socket in the caller's network namespace, and finds the family; *ret_family: 0 if there is none. The kernel may load a
 * module for it.
 */
int generic_open(const char *name, struct nl_sock **ret, int *ret_family);
/* NULL: out of memory. */
struct nl_msg *generic_request(int family, int flags, uint8_t command);
/* Frees the message (NULL: -ENOMEM). A single answer, without an end. */
int generic_ask(struct nl_sock *sk, struct nl_msg *msg, const struct netlink_answer *answer);
