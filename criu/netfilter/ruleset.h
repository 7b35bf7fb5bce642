/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All nf_tables rules of a network namespace: tables, chains, objects, flow tables, sets with their elements, rules. They
 * are kept as the kernel's own messages, so that nothing is lost that this program does not know: counters, time until
 * elements expire, comments, extensions of iptables (which the text of libnftables cannot express).
 *
 * Functions run in any process; the namespace is that in which @netlink (NETLINK_NETFILTER) was opened. Errors are
 * negative errnos that have been logged.
 */
#pragma once
#include <stddef.h>
#include "util/str.h"

struct nl_sock;

/*
 * Appends the messages (NFT_MSG_NEW*) to @to, in the order in which they can be created; none if there are no rules. Network
 * locks of ours are left out. 1: a table belongs to a netlink socket (flag owner), and disappears with it; @to has its name.
 */
int nft_ruleset_read(struct nl_sock *netlink, struct buf *to);
/* Creates all of it, or nothing. -EBADMSG: @messages are not such messages. @netlink: netlink_prepare_transactions() */
int nft_ruleset_create(struct nl_sock *netlink, const void *messages, size_t len);
