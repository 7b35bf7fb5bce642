/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A transaction of nf_tables: messages that the kernel carries out as a whole or not at all. Attributes go into the
 * message that was begun last. The first error stays: what is built after it is never sent.
 *
 * Built by libnl-3's nlmsg_* and nla_*. libnl-nf has no objects for nf_tables. libnftables was tried and measured: a dump
 * of a process with one connection is frozen 17 % longer (38.6 instead of 32.9 ms) and takes 5 % longer (48.1 instead of
 * 45.7 ms; medians of three times 20 interleaved runs), as libraries are loaded (0.5 ms), a context is made (0.13 ms), the
 * rules of the whole host are read, and a text is parsed. And it hides its netlink socket, with which an owned table ends:
 * the process that takes the lock away when the tool is killed needs that very socket.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "netlink/exchange.h"
#include "util/str.h"

struct nft_batch {
	struct buf bytes; /* messages that are complete */
	struct nl_msg *msg; /* the one that is being built */
	uint32_t seq;
	int err;
};

/* A table, chain, ... has @type (NFT_MSG_*) and @flags (NLM_F_*). Of all that succeeds only what has NLM_F_ACK is answered. */
void nft_batch_begin(struct nft_batch *b);
void nft_message(struct nft_batch *b, int type, int flags);
void nft_message_end(struct nft_batch *b);
/* Sends all, waits for the answer, and frees @b: 0 or a negative errno. */
int nft_batch_commit(struct nft_batch *b, struct nl_sock *netlink);

void nft_attr(struct nft_batch *b, int type, const void *data, size_t len);
/* In network order, as nf_tables has its numbers. */
void nft_attr_u32(struct nft_batch *b, int type, uint32_t value);
void nft_attr_str(struct nft_batch *b, int type, const char *s);
/* What is added until nft_nest_end() lies in it. */
struct nlattr *nft_nest(struct nft_batch *b, int type);
void nft_nest_end(struct nft_batch *b, struct nlattr *nest);
