/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A transaction of nf_tables: messages that the kernel executes as a whole or not at all. Attributes are added to the
 * current message. The first error is sticky: nothing is sent after it.
 *
 * Built with libnl-3's nlmsg_* and nla_*: libnl-nf has no objects for nf_tables. libnftables was measured: with it, a
 * process with one connection is frozen 17 % longer (38.6 instead of 32.9 ms) and its dump takes 5 % longer (48.1
 * instead of 45.7 ms; medians of three times 20 interleaved runs), as it loads libraries (0.5 ms), creates a context
 * (0.13 ms), reads the rules of the whole host, and parses text. It also hides its netlink socket, which owns the
 * table: the process that removes the lock when the tool is killed needs that very socket.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "netlink/exchange.h"
#include "util/str.h"

struct nft_batch {
	struct buf bytes; /* complete messages */
	struct nl_msg *msg; /* the current message */
	uint32_t seq;
	int err;
	uint32_t failed; /* after an unsuccessful commit: number of the first failed message; 0: unknown */
};

/*
 * Starts a message of @type (NFT_MSG_*) about a table, chain, ... with @flags (NLM_F_*). Of the successful ones only
 * those with NLM_F_ACK are answered.
 */
void nft_batch_begin(struct nft_batch *b);
void nft_message(struct nft_batch *b, int type, int flags);
/*
 * The same, of the type, and about objects of the family, of @model (NFT_MSG_NEW*); it takes as many bytes of attributes, and
 * some more.
 */
struct nlmsghdr;
void nft_message_like(struct nft_batch *b, const struct nlmsghdr *model, int flags);
void nft_message_end(struct nft_batch *b);
/* Sends everything, waits for the answer, and frees @b: 0 or a negative errno. */
int nft_batch_commit(struct nft_batch *b, struct nl_sock *netlink);

void nft_attr(struct nft_batch *b, int type, const void *data, size_t len);
/* In network byte order, as nf_tables expects. */
void nft_attr_u32(struct nft_batch *b, int type, uint32_t value);
void nft_attr_str(struct nft_batch *b, int type, const char *s);
/* Attributes added until nft_nest_end() are nested in it. */
struct nlattr *nft_nest(struct nft_batch *b, int type);
void nft_nest_end(struct nft_batch *b, struct nlattr *nest);
