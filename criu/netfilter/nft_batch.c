// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/nft_batch.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

/* Message sizes: a list of elements is one attribute of at most 64K; everything else is a few hundred bytes. */
#define ROOM_FOR_ELEMENTS (68u << 10)
#define ROOM 4096u

static void begin_sized(struct nft_batch *b, size_t room, int type, int flags, const struct nfgenmsg *gen)
{
	if (b->err)
		return;
	b->msg = nlmsg_alloc_size(room);
	if (!b->msg || !nlmsg_put(b->msg, 0, b->seq++, type, 0, NLM_F_REQUEST | flags) ||
	    nlmsg_append(b->msg, (void *)gen, sizeof(*gen), NLMSG_ALIGNTO) < 0)
		b->err = -ENOMEM;
}

static void begin(struct nft_batch *b, int type, int flags, const struct nfgenmsg *gen)
{
	bool elements = type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);

	begin_sized(b, elements ? ROOM_FOR_ELEMENTS : ROOM, type, flags, gen);
}

/* The first and the last message identify the transaction. */
static void mark(struct nft_batch *b, int type)
{
	begin(b, type, 0,
	      &(struct nfgenmsg){
		      .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) });
	nft_message_end(b);
}

void nft_batch_begin(struct nft_batch *b)
{
	*b = (struct nft_batch){ .seq = 1 };
	mark(b, NFNL_MSG_BATCH_BEGIN);
}

void nft_message(struct nft_batch *b, int type, int flags)
{
	begin(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags,
	      &(struct nfgenmsg){ .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 });
}

void nft_message_like(struct nft_batch *b, const struct nlmsghdr *model, int flags)
{
	const struct nfgenmsg *gen = nlmsg_data(model);

	begin_sized(b, model->nlmsg_len + ROOM, model->nlmsg_type, flags,
		    &(struct nfgenmsg){ .nfgen_family = gen->nfgen_family, .version = NFNETLINK_V0 });
}

void nft_message_end(struct nft_batch *b)
{
	if (!b->err)
		b->err = netlink_append(&b->bytes, nlmsg_hdr(b->msg));
	nlmsg_free(b->msg);
	b->msg = NULL;
}

int nft_batch_commit(struct nft_batch *b, struct nl_sock *netlink)
{
	int err;

	mark(b, NFNL_MSG_BATCH_END);
	err = b->err;
	if (!err)
		err = netlink_send_transaction(netlink, b->bytes.data, b->bytes.len);
	/* A successful transaction has one positive answer. */
	if (!err)
		err = netlink_receive_acks(netlink, &b->failed);
	buf_free(&b->bytes);
	return err;
}

static void note(struct nft_batch *b, int nle)
{
	/* The only possible reason: the message is full. */
	if (nle < 0)
		b->err = -EMSGSIZE;
}

void nft_attr(struct nft_batch *b, int type, const void *data, size_t len)
{
	if (!b->err)
		note(b, nla_put(b->msg, type, (int)len, data));
}

void nft_attr_u32(struct nft_batch *b, int type, uint32_t value)
{
	if (!b->err)
		note(b, nla_put_u32(b->msg, type, htonl(value)));
}

void nft_attr_str(struct nft_batch *b, int type, const char *s)
{
	if (!b->err)
		note(b, nla_put_string(b->msg, type, s));
}

struct nlattr *nft_nest(struct nft_batch *b, int type)
{
	struct nlattr *nest = b->err ? NULL : nla_nest_start(b->msg, type | NLA_F_NESTED);

	note(b, nest || b->err ? 0 : -1);
	return nest;
}

void nft_nest_end(struct nft_batch *b, struct nlattr *nest)
{
	if (!b->err)
		note(b, nla_nest_end_keep_empty(b->msg, nest));
}
