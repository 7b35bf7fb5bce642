// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses, routes, rules, nexthops, neighbours: images have the messages in which the kernel lists them. Four lists have files
 * of the format, the others are extensions of netns-N.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_addrlabel.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "image/reader.h"
#include "image/writer.h"
#include "qdiscs.h"
#include "util/log.h"

struct list_spec {
	const char *name;
	int type; /* of its messages */
	int family; /* AF_UNSPEC: any */
	size_t header;
	uint32_t magic; /* of its file */
	enum image_type image;
	size_t field; /* without a file: offset of the extension in NetnsEntry */
};

#define FIELD(f) offsetof(NetnsEntry, f)

/* Before its magic, a file is empty. */
static const struct list_spec specs[NET_LISTS] = {
	[NET_ADDRESSES] = { "address", RTM_NEWADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), 0x47361222, IMAGE_IFADDR, 0 },
	[NET_ROUTES] = { "route", RTM_NEWROUTE, AF_INET, sizeof(struct rtmsg), 0x45311224, IMAGE_ROUTE, 0 },
	[NET_ROUTES6] = { "route", RTM_NEWROUTE, AF_INET6, sizeof(struct rtmsg), 0x45311224, IMAGE_ROUTE6, 0 },
	[NET_RULES] = { "rule", RTM_NEWRULE, AF_INET, sizeof(struct fib_rule_hdr), 0x71706986, IMAGE_RULE, 0 },
	[NET_OTHER_ROUTES] = { "route", RTM_NEWROUTE, AF_UNSPEC, sizeof(struct rtmsg), 0, 0, FIELD(routes) },
	[NET_RULES6] = { "rule", RTM_NEWRULE, AF_INET6, sizeof(struct fib_rule_hdr), 0, 0, FIELD(rules6) },
	[NET_NEXTHOPS] = { "nexthop", RTM_NEWNEXTHOP, AF_UNSPEC, sizeof(struct nhmsg), 0, 0, FIELD(nexthops) },
	[NET_NEIGHBOURS] = { "neighbour", RTM_NEWNEIGH, AF_UNSPEC, sizeof(struct ndmsg), 0, 0, FIELD(neighbours) },
	[NET_FDB] = { "forwarding table entry", RTM_NEWNEIGH, AF_BRIDGE, sizeof(struct ndmsg), 0, 0, FIELD(fdb) },
	[NET_MDB] = { "multicast table entry", RTM_NEWMDB, AF_BRIDGE, sizeof(struct br_port_msg), 0, 0, FIELD(mdb) },
	[NET_QDISCS] = { "queueing discipline", RTM_NEWQDISC, AF_UNSPEC, sizeof(struct tcmsg), 0, 0, FIELD(qdiscs) },
	[NET_CLASSES] = { "class of a queueing discipline", RTM_NEWTCLASS, AF_UNSPEC, sizeof(struct tcmsg), 0, 0,
			  FIELD(classes) },
	[NET_LABELS] = { "label of IPv6 addresses", RTM_NEWADDRLABEL, AF_INET6, sizeof(struct ifaddrlblmsg), 0, 0,
			 FIELD(labels) },
	[NET_NEIGHBOUR_TABLES] = { "setting of a neighbour table", RTM_NEWNEIGHTBL, AF_UNSPEC, sizeof(struct ndtmsg), 0,
				   0, FIELD(neighbour_tables) },
	[NET_MPTCP] = { "endpoint of MPTCP", NLMSG_MIN_TYPE, AF_UNSPEC, sizeof(struct genlmsghdr), 0, 0, FIELD(mptcp) },
	[NET_VLANS] = { "VLAN of a bridge", RTM_NEWVLAN, AF_BRIDGE, sizeof(struct br_vlan_msg), 0, 0, FIELD(vlans) },
	[NET_SEG6] = { "setting of segment routing", NLMSG_MIN_TYPE, AF_UNSPEC, sizeof(struct genlmsghdr), 0, 0,
		       FIELD(seg6) },
	[NET_IOAM6] = { "setting of IOAM", NLMSG_MIN_TYPE, AF_UNSPEC, sizeof(struct genlmsghdr), 0, 0, FIELD(ioam6) },
};

const char *net_list_name(enum net_list list)
{
	return specs[list].name;
}

/* ---- dump ---- */

struct saving {
	struct buf lists[NET_LISTS];
	struct nl_sock *route;
};

static int keep_address(struct nlmsghdr *message, void *arg)
{
	return route_keep(&((struct saving *)arg)->lists[NET_ADDRESSES], message);
}

static uint32_t table_of(struct nlmsghdr *message)
{
	const struct rtmsg *rtm = nlmsg_data(message);
	const struct nlattr *table = nlmsg_find_attr(message, sizeof(*rtm), RTA_TABLE);

	return table ? nla_get_u32(table) : rtm->rtm_table;
}

static int keep_route(struct nlmsghdr *message, void *arg)
{
	struct saving *saving = arg;
	const struct rtmsg *rtm = nlmsg_data(message);
	bool main_table = nlmsg_valid_hdr(message, sizeof(*rtm)) && table_of(message) == RT_TABLE_MAIN;

	/* Other families: refuse_all.c */
	if ((rtm->rtm_flags & RTM_F_CLONED) || (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return 0;
	if (main_table)
		return route_keep(&saving->lists[rtm->rtm_family == AF_INET ? NET_ROUTES : NET_ROUTES6], message);
	return route_keep(&saving->lists[NET_OTHER_ROUTES], message);
}

static int keep_rule(struct nlmsghdr *message, void *arg)
{
	struct saving *saving = arg;
	const struct fib_rule_hdr *rule = nlmsg_data(message);

	if (rule->family != AF_INET && rule->family != AF_INET6)
		return 0; /* of multicast routing: refuse_all.c */
	return route_keep(&saving->lists[rule->family == AF_INET ? NET_RULES : NET_RULES6], message);
}

static int keep_nexthop(struct nlmsghdr *message, void *arg)
{
	return route_keep(&((struct saving *)arg)->lists[NET_NEXTHOPS], message);
}

/* Whether programs have asked for it. */
static bool is_configured(struct nlmsghdr *message)
{
	const struct ndmsg *ndm = nlmsg_data(message);

	return (ndm->ndm_state & NUD_PERMANENT) || (ndm->ndm_flags & (NTF_PROXY | NTF_EXT_LEARNED)) ||
	       net_neighbour_is_managed(message);
}

/* The others are found again when they are needed. */
static int keep_neighbour(struct nlmsghdr *message, void *arg)
{
	const struct ndmsg *ndm = nlmsg_data(message);

	if (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6)
		return 0;
	if (!is_configured(message))
		return 0;
	return route_keep(&((struct saving *)arg)->lists[NET_NEIGHBOURS], message);
}

static int list_one(struct saving *saving, int type, const void *header, size_t len, netlink_message fn)
{
	int err = route_list(saving->route, &(struct route_query){ type, header, len, fn, saving });

	/* A kernel without policy routing, or without nexthop objects, has none. */
	if (err == -EOPNOTSUPP && (type == RTM_GETRULE || type == RTM_GETNEXTHOP))
		return 0;
	return err ? fail(err, "list the objects of a network namespace (rtnetlink, type %d)", type) : 0;
}

static int list_all(struct saving *saving)
{
	const struct ifaddrmsg address = { .ifa_family = AF_UNSPEC };
	const struct rtmsg route = { .rtm_family = AF_UNSPEC };
	const struct fib_rule_hdr rule = { .family = AF_UNSPEC };
	const struct nhmsg nexthop = { .nh_family = AF_UNSPEC };
	const struct ndmsg neighbour = { .ndm_family = AF_UNSPEC }, proxy = { .ndm_flags = NTF_PROXY };
	int err = list_one(saving, RTM_GETADDR, &address, sizeof(address), keep_address);

	if (!err)
		err = list_one(saving, RTM_GETROUTE, &route, sizeof(route), keep_route);
	if (!err)
		err = list_one(saving, RTM_GETRULE, &rule, sizeof(rule), keep_rule);
	if (!err)
		err = list_one(saving, RTM_GETNEXTHOP, &nexthop, sizeof(nexthop), keep_nexthop);
	if (!err)
		err = list_one(saving, RTM_GETNEIGH, &neighbour, sizeof(neighbour), keep_neighbour);
	return err ? err : list_one(saving, RTM_GETNEIGH, &proxy, sizeof(proxy), keep_neighbour);
}

static int write_file_of(struct dump *dump, const struct ns *ns, const struct list_spec *spec, const struct buf *list)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(dump->dir, spec->image, ns->id, &img);

	if (!err)
		err = image_write_raw(img, &spec->magic, sizeof(spec->magic));
	if (!err)
		err = image_write_raw(img, list->data, list->len);
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* protobuf-c: has_X, then X. */
struct bytes_field {
	protobuf_c_boolean has;
	ProtobufCBinaryData data;
};

static int set_field(struct dump *dump, NetnsEntry *entry, const struct list_spec *spec, const struct buf *list)
{
	ProtobufCBinaryData *data = (ProtobufCBinaryData *)((char *)entry + spec->field);

	data->data = dump_alloc(dump, list->len + 1);
	if (!data->data)
		return fail(-ENOMEM, "network namespace");
	if (list->len)
		memcpy(data->data, list->data, list->len);
	data->len = list->len;
	/* Also if there are none: without the field, what the kernel creates in a new namespace is kept. */
	container_of(data, struct bytes_field, data)->has = true;
	return 0;
}

static int list_qdiscs(struct dump *dump, const struct ns *ns, struct saving *saving)
{
	struct refusing r = { dump, ns, "the queueing discipline ", "delete it (tc qdisc del)", false };
	struct buf *qdiscs = &saving->lists[NET_QDISCS], *classes = &saving->lists[NET_CLASSES];
	int err = net_qdiscs_list(saving->route, &r, qdiscs, classes);

	if (err)
		return err;
	return net_refuse_filters(
		dump, ns, saving->route,
		(struct net_messages[]){ { qdiscs->data, qdiscs->len }, { classes->data, classes->len } });
}

int net_lists_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, const struct net_found *found,
		   NetnsEntry *entry)
{
	struct saving saving = { .route = route };
	int err = list_all(&saving);

	if (!err)
		err = net_fdb_list(route, &saving.lists[NET_FDB]);
	if (!err)
		err = net_mdb_list(dump, ns, route, &saving.lists[NET_MDB]);
	if (!err)
		err = list_qdiscs(dump, ns, &saving);
	if (!err)
		err = net_labels_list(route, &saving.lists[NET_LABELS]);
	if (!err)
		err = net_neighbour_tables_list(route, &saving.lists[NET_NEIGHBOUR_TABLES]);
	if (!err)
		err = net_mptcp_list(&saving.lists[NET_MPTCP]);
	if (!err)
		err = net_ipv6_genl_list(NET_SEG6, &saving.lists[NET_SEG6]);
	if (!err)
		err = net_ipv6_genl_list(NET_IOAM6, &saving.lists[NET_IOAM6]);
	if (!err)
		net_ipv6_genl_refuse(dump, ns, saving.lists);
	if (!err)
		err = net_vlans_list(dump, ns, route, found, &saving.lists[NET_VLANS]);
	if (!err)
		net_refuse_addresses(dump, ns, &saving.lists[NET_ADDRESSES]);
	for (size_t i = 0; i < NET_LISTS; i++) {
		const struct list_spec *spec = &specs[i];

		if (!err)
			err = spec->magic ? write_file_of(dump, ns, spec, &saving.lists[i]) :
					    set_field(dump, entry, spec, &saving.lists[i]);
		buf_free(&saving.lists[i]);
	}
	return err;
}

/* ---- restore ---- */

/* Attributes that are read or changed here, by type of message. */
static bool is_long_enough(const struct nlmsghdr *message, const struct nlattr *attr)
{
	static const struct {
		int message, attr, min;
	} rows[] = {
		{ RTM_NEWADDR, IFA_FLAGS, sizeof(uint32_t) },
		{ RTM_NEWROUTE, RTA_TABLE, sizeof(uint32_t) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].message == message->nlmsg_type && rows[i].attr == nla_type(attr))
			return nla_len(attr) >= rows[i].min;
	return true;
}

static int check_message(const struct nlmsghdr *message, void *arg)
{
	const struct list_spec *spec = arg;
	const struct nlattr *attr;
	int left;

	if (message->nlmsg_type != spec->type || !nlmsg_valid_hdr(message, (int)spec->header))
		return -EBADMSG;
	/* The first byte of each header is the address family. */
	if (spec->family != AF_UNSPEC && *(const uint8_t *)nlmsg_data(message) != spec->family)
		return -EBADMSG;
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)message, (int)spec->header, left)
	{
		if (!is_long_enough(message, attr))
			return -EBADMSG;
	}
	return left > 0 ? -EBADMSG : 0;
}

static int read_file_of(struct restore *r, const struct ns *ns, const struct list_spec *spec, struct net_messages *ret)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	int err = image_open(r->dir, spec->image, ns->id, &img);
	size_t len = err ? 0 : image_left(img);
	const void *bytes;
	char *copy;

	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	err = len < sizeof(spec->magic) ? image_refuse(img, "too short") : image_read_raw(img, len, &bytes);
	if (!err && memcmp(bytes, &spec->magic, sizeof(spec->magic)))
		err = image_refuse(img, "not an image of this type");
	if (err)
		return fail(err, "%s", image_error(img));
	/* Messages are aligned. */
	copy = restore_alloc(r, len);
	if (!copy)
		return fail(-ENOMEM, "network namespace");
	len -= sizeof(spec->magic);
	memcpy(copy, (const char *)bytes + sizeof(spec->magic), len);
	*ret = (struct net_messages){ copy, len };
	return 0;
}

int net_lists_load(struct restore *r, const struct ns *ns, struct net_state *state)
{
	for (size_t i = 0; i < NET_LISTS; i++) {
		const struct list_spec *spec = &specs[i];
		int err = 0;

		if (spec->magic) {
			err = read_file_of(r, ns, spec, &state->lists[i]);
		} else {
			const ProtobufCBinaryData *data = (const void *)((const char *)state->entry + spec->field);

			state->lists[i] = (struct net_messages){ (const char *)data->data, data->len };
			state->absent[i] = !container_of(data, const struct bytes_field, data)->has;
		}
		if (!err && net_messages_each(&state->lists[i], check_message, (void *)spec))
			err = fail(-EBADMSG, "images of network namespace %u: an invalid %s", ns->id, spec->name);
		if (err)
			return err;
	}
	return 0;
}
