// SPDX-License-Identifier: GPL-2.0-only
#include "netlink/route.h"
#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#define ROOM (80u << 10) /* for a message that is built from attributes, the largest of which has 64K */
#define SEND_MAX (64u << 10) /* fits the send buffer without a privilege */

int route_open(struct nl_sock **ret)
{
	int err = netlink_open(NETLINK_ROUTE, ret);

	if (!err)
		netlink_want_reasons(*ret);
	return err;
}

/* NULL: out of memory. */
static struct nl_msg *build_query(const struct route_query *query, const void *attributes, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(query->type, NLM_F_DUMP);

	if (msg && !nlmsg_append(msg, (void *)query->header, query->len, NLMSG_ALIGNTO) &&
	    (!len || !nlmsg_append(msg, (void *)attributes, len, NLMSG_ALIGNTO)))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int route_list_with(struct nl_sock *sk, const struct route_query *query, const void *attributes, size_t len)
{
	/* RTM_GETLINK, RTM_NEWLINK, ...: the numbers of each object are in this order: NEW, DEL, GET, SET */
	const struct netlink_answer answer = { .type = query->type - 2, .fn = query->fn, .arg = query->arg };

	return netlink_list(sk, build_query(query, attributes, len), &answer);
}

int route_list(struct nl_sock *sk, const struct route_query *query)
{
	return route_list_with(sk, query, NULL, 0);
}

int route_keep(struct buf *to, const struct nlmsghdr *message)
{
	static const char zeros[NLMSG_ALIGNTO];
	int err = buf_add(to, message, message->nlmsg_len);

	return err ? err : buf_add(to, zeros, NLMSG_ALIGN(message->nlmsg_len) - message->nlmsg_len);
}

void route_message(struct route_batch *b, int type, int flags, const void *header, size_t len)
{
	if (b->err)
		return;
	b->msg = nlmsg_alloc_size(ROOM);
	if (!b->msg || !nlmsg_put(b->msg, 0, b->nr++, type, 0, NLM_F_REQUEST | flags) ||
	    nlmsg_append(b->msg, (void *)header, len, NLMSG_ALIGNTO) < 0)
		b->err = -ENOMEM;
}

static void note(struct route_batch *b, int nle)
{
	/* The only possible reason: the message is full. */
	if (nle < 0) {
		b->err = -EMSGSIZE;
		b->too_long = b->nr - 1;
	}
}

void route_attr(struct route_batch *b, int type, const void *data, size_t len)
{
	if (!b->err)
		note(b, nla_put(b->msg, type, (int)len, data));
}

void route_attr_u32(struct route_batch *b, int type, uint32_t value)
{
	route_attr(b, type, &value, sizeof(value));
}

void route_attr_str(struct route_batch *b, int type, const char *s)
{
	if (!b->err)
		note(b, nla_put_string(b->msg, type, s));
}

void route_attrs(struct route_batch *b, const void *attributes, size_t len)
{
	if (!b->err && len)
		note(b, nlmsg_append(b->msg, (void *)attributes, len, NLMSG_ALIGNTO));
}

struct nlattr *route_nest(struct route_batch *b, int type)
{
	struct nlattr *nest = b->err ? NULL : nla_nest_start(b->msg, type | NLA_F_NESTED);

	note(b, nest || b->err ? 0 : -1);
	return nest;
}

void route_nest_end(struct route_batch *b, struct nlattr *nest)
{
	if (!b->err)
		note(b, nla_nest_end_keep_empty(b->msg, nest));
}

void route_message_end(struct route_batch *b)
{
	if (!b->err)
		b->err = netlink_append(&b->bytes, nlmsg_hdr(b->msg));
	nlmsg_free(b->msg);
	b->msg = NULL;
}

void route_copy(struct route_batch *b, int type, int flags, const void *payload, size_t len)
{
	struct nlmsghdr head = { .nlmsg_len = NLMSG_HDRLEN + len,
				 .nlmsg_type = type,
				 .nlmsg_flags = NLM_F_REQUEST | flags };
	static const char zeros[NLMSG_ALIGNTO];

	if (b->err)
		return;
	head.nlmsg_seq = b->nr++;
	b->err = buf_add(&b->bytes, &head, sizeof(head));
	if (!b->err)
		b->err = buf_add(&b->bytes, payload, len);
	if (!b->err)
		b->err = buf_add(&b->bytes, zeros, NLMSG_ALIGN(len) - len);
}

/* As many whole messages as are sent at once. */
static size_t next_part(const struct route_batch *b, size_t at)
{
	size_t end = at;

	while (end < b->bytes.len) {
		const struct nlmsghdr *message = (const void *)(b->bytes.data + end);
		size_t len = NLMSG_ALIGN(message->nlmsg_len);

		if (end > at && end + len - at > SEND_MAX)
			break;
		end += len;
	}
	return end - at;
}

int route_batch_run(struct route_batch *b, struct nl_sock *sk, netlink_failure fn, void *arg)
{
	int err = b->err, ended = 0;

	if (err == -EMSGSIZE)
		fn(arg, b->too_long, err, "");
	if (!err && b->bytes.len)
		err = netlink_prepare_transactions(sk);
	for (size_t at = 0; !err && at < b->bytes.len;) {
		size_t len = next_part(b, at);

		err = netlink_send_transaction(sk, b->bytes.data + at, len);
		if (!err)
			err = netlink_receive_failures(sk, fn, arg);
		at += len;
	}
	if (b->bytes.len)
		ended = netlink_end_transactions(sk);
	route_batch_free(b);
	return err ? err : ended;
}

void route_batch_free(struct route_batch *b)
{
	nlmsg_free(b->msg);
	buf_free(&b->bytes);
	*b = (struct route_batch){ .err = 0 };
}
