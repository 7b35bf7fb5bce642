// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "netfilter/conntrack.h"
#include "netlink/exchange.h"
#include "util/log.h"

/* Sent at once: the kernel answers every failed message. */
#define AT_ONCE (256u << 10)
#define MORE_ROOM 1024u

/* Set by the kernel itself. The first three are taken for a change, and refused; those of NAT are not accepted. */
#define STATUS_OF_KERNEL (IPS_EXPECTED | IPS_DYING | IPS_NAT_MASK | IPS_NAT_DONE_MASK)

/* One direction: attributes of a CTA_TUPLE_*. */
struct tuple {
	const struct nlattr *source, *destination; /* addresses */
	const struct nlattr *source_port, *destination_port;
	int source_type, destination_type; /* of the addresses */
	const struct nlattr *protocol;
};

static const struct nlattr *attribute(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), type);
}

static bool parse_tuple(const struct nlattr *attr, struct tuple *ret)
{
	const struct nlattr *ip = netlink_nested(attr, CTA_TUPLE_IP), *protocol = netlink_nested(attr, CTA_TUPLE_PROTO);
	bool v6 = netlink_nested(ip, CTA_IP_V6_SRC);

	*ret = (struct tuple){
		.source_type = v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC,
		.destination_type = v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST,
		.source_port = netlink_nested(protocol, CTA_PROTO_SRC_PORT),
		.destination_port = netlink_nested(protocol, CTA_PROTO_DST_PORT),
		.protocol = protocol,
	};
	ret->source = netlink_nested(ip, ret->source_type);
	ret->destination = netlink_nested(ip, ret->destination_type);
	return ret->source && ret->destination && protocol;
}

/* ---- NAT ---- */

static bool differs(const struct nlattr *a, const struct nlattr *b)
{
	return a && b && (nla_len(a) != nla_len(b) || memcmp(nla_data(a), nla_data(b), (size_t)nla_len(a)) != 0);
}

/* The address and port that the source or destination of a connection is replaced with. */
static int add_translation(struct nl_msg *msg, int type, bool v6, const struct nlattr *address,
			   const struct nlattr *port)
{
	struct nlattr *nest = nla_nest_start(msg, type | NLA_F_NESTED), *inner;
	bool full = !nest ||
		    nla_put(msg, v6 ? CTA_NAT_V6_MINIP : CTA_NAT_V4_MINIP, nla_len(address), nla_data(address)) < 0;

	if (!full && port) {
		inner = nla_nest_start(msg, CTA_NAT_PROTO | NLA_F_NESTED);
		full = !inner || nla_put(msg, CTA_PROTONAT_PORT_MIN, nla_len(port), nla_data(port)) < 0 ||
		       nla_put(msg, CTA_PROTONAT_PORT_MAX, nla_len(port), nla_data(port)) < 0;
		if (!full)
			nla_nest_end(msg, inner);
	}
	if (!full)
		nla_nest_end(msg, nest);
	return full ? -EMSGSIZE : 0;
}

/* Replies to a connection without NAT: its addresses and ports, exchanged. */
static int add_plain_reply(struct nl_msg *msg, const struct tuple *orig)
{
	struct nlattr *nest = nla_nest_start(msg, CTA_TUPLE_REPLY | NLA_F_NESTED), *inner;
	const struct nlattr *attr;
	bool full;
	int left;

	inner = nest ? nla_nest_start(msg, CTA_TUPLE_IP | NLA_F_NESTED) : NULL;
	full = !inner || nla_put(msg, orig->source_type, nla_len(orig->destination), nla_data(orig->destination)) < 0 ||
	       nla_put(msg, orig->destination_type, nla_len(orig->source), nla_data(orig->source)) < 0;
	if (full)
		return -EMSGSIZE;
	nla_nest_end(msg, inner);
	inner = nla_nest_start(msg, CTA_TUPLE_PROTO | NLA_F_NESTED);
	if (!inner)
		return -EMSGSIZE;
	nla_for_each_nested(attr, orig->protocol, left)
	{
		int type = nla_type(attr);

		type = type == CTA_PROTO_SRC_PORT ? CTA_PROTO_DST_PORT :
		       type == CTA_PROTO_DST_PORT ? CTA_PROTO_SRC_PORT :
						    type;
		full |= nla_put(msg, type, nla_len(attr), nla_data(attr)) < 0;
	}
	nla_nest_end(msg, inner);
	nla_nest_end(msg, nest);
	return full ? -EMSGSIZE : 0;
}

/*
 * The kernel reports a translation as what replies look like, and accepts it as a rule for a connection that has none yet.
 * Only for protocols with ports: 1; 0: replies are to be stated as they are.
 */
static int add_nat(struct nl_msg *msg, const struct nlmsghdr *message, uint32_t status)
{
	struct tuple orig, reply;
	bool v6, source, destination;
	int err;

	if (!(status & IPS_NAT_MASK) || !parse_tuple(attribute(message, CTA_TUPLE_ORIG), &orig) ||
	    !parse_tuple(attribute(message, CTA_TUPLE_REPLY), &reply) || !orig.source_port || !reply.source_port)
		return 0;
	v6 = orig.source_type == CTA_IP_V6_SRC;
	source = differs(orig.source, reply.destination) || differs(orig.source_port, reply.destination_port);
	destination = differs(orig.destination, reply.source) || differs(orig.destination_port, reply.source_port);
	err = add_plain_reply(msg, &orig);
	if (!err && destination)
		err = add_translation(msg, CTA_NAT_DST, v6, reply.source, reply.source_port);
	if (!err && source)
		err = add_translation(msg, CTA_NAT_SRC, v6, reply.destination, reply.destination_port);
	return err ? err : 1;
}

/* ---- TCP ---- */

static int add_tcp(struct nl_msg *msg, const struct nlattr *tcp)
{
	struct nlattr *nest = nla_nest_start(msg, CTA_PROTOINFO | NLA_F_NESTED), *inner;
	const struct nlattr *attr;
	bool full;
	int left;

	inner = nest ? nla_nest_start(msg, CTA_PROTOINFO_TCP | NLA_F_NESTED) : NULL;
	full = !inner;
	nla_for_each_nested(attr, tcp, left)
	{
		struct nf_ct_tcp_flags flags;

		if (full || ((nla_type(attr) != CTA_PROTOINFO_TCP_FLAGS_ORIGINAL &&
			      nla_type(attr) != CTA_PROTOINFO_TCP_FLAGS_REPLY) ||
			     nla_len(attr) != sizeof(flags))) {
			full |= nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr)) < 0;
			continue;
		}
		/* Segments are not compared with windows: the kernel does not know them. */
		memcpy(&flags, nla_data(attr), sizeof(flags));
		flags.flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
		flags.mask = 0xff;
		full = nla_put(msg, nla_type(attr), sizeof(flags), &flags) < 0;
	}
	if (full)
		return -EMSGSIZE;
	nla_nest_end(msg, inner);
	nla_nest_end(msg, nest);
	return 0;
}

/* ---- entries ---- */

static bool is_copied(int type)
{
	switch (type) {
	case CTA_TUPLE_ORIG:
	case CTA_TUPLE_MASTER:
	case CTA_HELP:
	case CTA_TIMEOUT:
	case CTA_MARK:
	case CTA_SEQ_ADJ_ORIG:
	case CTA_SEQ_ADJ_REPLY:
	case CTA_ZONE:
	case CTA_LABELS:
	case CTA_SYNPROXY:
		return true;
	default: /* counters, number, time, security context: the kernel does not accept them */
		return false;
	}
}

static int add_attributes(struct nl_msg *msg, const struct nlmsghdr *message)
{
	const struct nlattr *attr = attribute(message, CTA_STATUS), *info = attribute(message, CTA_PROTOINFO);
	uint32_t status = attr && nla_len(attr) == sizeof(status) ? ntohl(nla_get_u32(attr)) : 0;
	int left, err = 0, nat = add_nat(msg, message, status);

	if (nat < 0)
		return nat;
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)message, sizeof(struct nfgenmsg),
			    left) if (!err &&
				      (is_copied(nla_type(attr)) || (nla_type(attr) == CTA_TUPLE_REPLY && !nat))) err =
		nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	if (!err)
		err = nla_put_u32(msg, CTA_STATUS, htonl(status & ~(uint32_t)STATUS_OF_KERNEL));
	if (err < 0)
		return -EMSGSIZE;
	if (netlink_nested(info, CTA_PROTOINFO_TCP))
		return add_tcp(msg, netlink_nested(info, CTA_PROTOINFO_TCP));
	return info && nla_put(msg, info->nla_type, nla_len(info), nla_data(info)) < 0 ? -EMSGSIZE : 0;
}

struct sending {
	struct nl_sock *netlink;
	struct buf bytes;
	uint32_t seq;
};

static int append(struct sending *s, const struct nlmsghdr *message)
{
	const struct nfgenmsg *gen = nlmsg_data(message);
	struct nl_msg *msg = nlmsg_alloc_size(message->nlmsg_len + MORE_ROOM);
	int err = -ENOMEM;

	if (msg &&
	    nlmsg_put(msg, 0, s->seq++, message->nlmsg_type, 0,
		      NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK) &&
	    nlmsg_append(msg, &(struct nfgenmsg){ .nfgen_family = gen->nfgen_family, .version = NFNETLINK_V0 },
			 sizeof(*gen), NLMSG_ALIGNTO) >= 0)
		err = add_attributes(msg, message);
	if (!err)
		err = netlink_append(&s->bytes, nlmsg_hdr(msg));
	nlmsg_free(msg);
	return err;
}

static int send_all(struct sending *s)
{
	uint32_t failed;
	int err = s->bytes.len ? netlink_send_transaction(s->netlink, s->bytes.data, s->bytes.len) : 0;

	if (!err && s->bytes.len)
		err = netlink_receive_acks(s->netlink, &failed);
	s->bytes.len = 0;
	return err;
}

/* Connections that others caused (FTP data) come after these. */
static int create_those(struct sending *s, const void *messages, size_t len, bool caused)
{
	const struct nlmsghdr *message = messages;
	int left = (int)len, err = 0;

	for (; !err && nlmsg_ok(message, left); message = nlmsg_next((struct nlmsghdr *)message, &left)) {
		const struct nlattr *status = attribute(message, CTA_STATUS);

		if (!attribute(message, CTA_TUPLE_MASTER) == caused ||
		    (status && nla_len(status) == sizeof(uint32_t) && ntohl(nla_get_u32(status)) & IPS_DYING))
			continue;
		err = append(s, message);
		if (!err && s->bytes.len > AT_ONCE)
			err = send_all(s);
	}
	return err ? err : send_all(s);
}

static int check(const void *messages, size_t len)
{
	const struct nlmsghdr *message = messages;
	int left = len > INT32_MAX ? -1 : (int)len;

	for (; nlmsg_ok(message, left); message = nlmsg_next((struct nlmsghdr *)message, &left))
		if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		    !nlmsg_valid_hdr(message, sizeof(struct nfgenmsg)))
			return fail(-EBADMSG, "tracked connections: message type %#x", message->nlmsg_type);
	return left ? fail(-EBADMSG, "tracked connections: %d bytes after the last message", left) : 0;
}

int conntrack_create(struct nl_sock *netlink, const void *messages, size_t len)
{
	struct sending s = { .netlink = netlink, .seq = 1 };
	int err = check(messages, len);

	if (err)
		return err;
	err = create_those(&s, messages, len, false);
	if (!err)
		err = create_those(&s, messages, len, true);
	buf_free(&s.bytes);
	return err ? fail(err, "create the tracked connections") : 0;
}
