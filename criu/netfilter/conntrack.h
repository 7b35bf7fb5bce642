/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connection tracking of a network namespace: its entries as the kernel's messages (ctnetlink), which is also what CRIU keeps.
 * The kernel neither reports nor accepts the windows of TCP: a restored entry accepts segments outside of them. Counters and
 * times of creation cannot be set.
 *
 * Functions run in any process; the namespace is that in which @netlink (NETLINK_NETFILTER) was opened. Errors are
 * negative errnos that have been logged.
 */
#pragma once
#include <stddef.h>
#include "util/str.h"

struct nl_sock;

/* Appends the messages (IPCTNL_MSG_CT_NEW); none if nothing has been tracked. */
int conntrack_read(struct nl_sock *netlink, struct buf *to);
/* The number of expected connections (of FTP, SIP, ...), or a negative errno. */
int conntrack_count_expected(struct nl_sock *netlink);
/* -EBADMSG: @messages are not such messages. @netlink: netlink_prepare_transactions() */
int conntrack_create(struct nl_sock *netlink, const void *messages, size_t len);
