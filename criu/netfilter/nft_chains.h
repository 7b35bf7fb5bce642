/* SPDX-License-Identifier: GPL-2.0-only */
/* Anonymous chains: `jump { ... }`. */
#pragma once
#include <stddef.h>

struct nlmsghdr;
struct nlattr;

/* The string in an attribute; NULL: there is none. */
const char *nft_name(const struct nlattr *attr);
/*
 * Orders the messages, in which rules come last, so that the rules of an anonymous chain come before the one that jumps to
 * it: it binds the chain, which takes no further rules then. -ENOMEM; -EBADMSG: chains that refer to each other. Logged.
 */
int nft_order_chains(const struct nlmsghdr **messages, size_t nr);
