/* SPDX-License-Identifier: GPL-2.0-only */
/* Queries of nf_tables. */
#pragma once
#include <stdint.h>
#include "netlink/exchange.h"

struct nl_msg;

/* A request of @type (NFT_MSG_GET*), with @flags (NLM_F_DUMP or 0); attributes can be added. NULL: out of memory. */
struct nl_msg *nft_request(int type, int flags, uint8_t family);
/* Sends and frees @request, unless it is NULL, and reads the answer. A negative errno, not logged. */
int nft_ask(struct nl_sock *netlink, struct nl_msg *request, const struct netlink_answer *answer);
