// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user has added to the tables by which frames are forwarded: entries of bridges for addresses (fdb) and for multicast
 * groups (mdb), addresses that a device accepts beside its own. bridge(8), ip-maddress(8). What has been learned from frames is
 * learned again; what protocols have joined is joined again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/bits.h"
#include "internal.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Newer than some headers: attributes of an entry of a mdb, as they are reported, and as they are set. */
enum { MDB_SRC_LIST = 2, MDB_GROUP_MODE = 3, MDB_SOURCE = 4, MDB_RTPROT = 5 };
enum { MDB_SET_SOURCE = 1, MDB_SET_GROUP_MODE = 3, MDB_SET_RTPROT = 4 };
enum { NDA_NH_ID_ = 13 };
#define MAC_TEXT_ROOM 48

static bool is_multicast(const struct nlattr *address)
{
	return nla_len(address) > 0 && (*(const uint8_t *)nla_data(address) & 1);
}

/* ---- addresses ---- */

/* Multicast addresses of devices: see keep_multicast(). */
static int keep_entry(struct nlmsghdr *message, void *arg)
{
	const struct ndmsg *ndm = nlmsg_data(message);
	const struct nlattr *address = nlmsg_find_attr(message, sizeof(*ndm), NDA_LLADDR);

	if (ndm->ndm_family != AF_BRIDGE || !address)
		return 0;
	if ((ndm->ndm_flags & NTF_SELF) && is_multicast(address) && !nlmsg_find_attr(message, sizeof(*ndm), NDA_DST) &&
	    !nlmsg_find_attr(message, sizeof(*ndm), NDA_NH_ID_))
		return 0;
	if (!(ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP)) && !(ndm->ndm_flags & NTF_EXT_LEARNED))
		return 0;
	return route_keep(arg, message);
}

static int add_multicast(struct buf *to, uint32_t device, const uint8_t *address, size_t len)
{
	const struct ndmsg head = {
		.ndm_family = AF_BRIDGE, .ndm_ifindex = (int)device, .ndm_state = NUD_PERMANENT, .ndm_flags = NTF_SELF
	};
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };

	route_message(&b, RTM_NEWNEIGH, 0, &head, sizeof(head));
	route_attr(&b, NDA_LLADDR, address, len);
	route_message_end(&b);
	return b.err ? b.err : buf_add(to, b.bytes.data, b.bytes.len);
}

/* The bytes of a hexadecimal number: how many, 0 if it is none. */
static size_t parse_address(const char *text, uint8_t *ret, size_t room)
{
	size_t n = 0;

	for (; n < room && sscanf(text, "%2hhx", &ret[n]) == 1; n++, text += 2)
		if (!text[1])
			return 0;
	return *text && *text != '\n' ? 0 : n;
}

/* "index name references global address": those with the flag global are not, or not only, joined by protocols. */
static int keep_multicast(const char *line, struct buf *to)
{
	uint8_t address[sizeof(((struct sockaddr *)0)->sa_data)];
	unsigned device, references, global;
	char hex[2 * sizeof(address) + 2];
	size_t len;

	if (sscanf(line, "%u %*s %u %u %29s", &device, &references, &global, hex) != 4)
		return -EBADMSG;
	if (!global)
		return 0;
	len = parse_address(hex, address, sizeof(address));
	return len ? add_multicast(to, device, address, len) : -EBADMSG;
}

static int list_multicast(struct buf *to)
{
	_cleanup_buf_ struct buf text = { 0 };
	char *line, *rest;
	int err = read_record(proc_root(), "thread-self/net/dev_mcast", &text);

	if (err == -ENOENT)
		return 0;
	if (!err)
		err = buf_add(&text, "", 1);
	for (rest = text.data; !err && (line = strsep(&rest, "\n"));)
		err = *line ? keep_multicast(line, to) : 0;
	return err;
}

int net_fdb_list(struct nl_sock *route, struct buf *to)
{
	const struct ndmsg head = { .ndm_family = AF_BRIDGE };
	int err = route_list(route, &(struct route_query){ RTM_GETNEIGH, &head, sizeof(head), keep_entry, to });

	if (err && err != -EOPNOTSUPP)
		return fail(err, "list the forwarding tables (rtnetlink, RTM_GETNEIGH)");
	err = list_multicast(to);
	return err ? fail(err, "read /proc/net/dev_mcast") : 0;
}

static const char *mac_text(const struct nlattr *address, char text[static MAC_TEXT_ROOM])
{
	size_t at = 0;

	text[0] = '\0';
	for (int i = 0; i < nla_len(address) && at + 4 < MAC_TEXT_ROOM; i++)
		at += (size_t)snprintf(text + at, MAC_TEXT_ROOM - at, "%s%02x", i ? ":" : "",
				       ((const uint8_t *)nla_data(address))[i]);
	return text;
}

struct filling {
	const struct net_state *state;
	struct route_batch batch;
};

/* A protocol may have joined it: then the device counts two. */
static int join(const struct filling *f, const struct ndmsg *ndm, const struct nlattr *address)
{
	struct ifreq ifr = { .ifr_ifindex = ndm->ndm_ifindex };
	char text[MAC_TEXT_ROOM];
	int fd = netlink_fd(f->state->route), err = 0;

	if (ioctl(fd, SIOCGIFNAME, &ifr))
		err = -errno;
	memset(&ifr.ifr_hwaddr, 0, sizeof(ifr.ifr_hwaddr));
	if (!err && (size_t)nla_len(address) <= sizeof(ifr.ifr_hwaddr.sa_data))
		memcpy(ifr.ifr_hwaddr.sa_data, nla_data(address), (size_t)nla_len(address));
	if (!err && ioctl(fd, SIOCADDMULTI, &ifr))
		err = -errno;
	return err ? fail(err, "add the multicast address %s to network device %d", mac_text(address, text),
			  ndm->ndm_ifindex) :
		     0;
}

static const struct nlattr *attr_of(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct ndmsg), type);
}

/* A tunnel (vxlan) forwards to other hosts: to several of them if the address is that of a group, or 0. */
static bool leads_to_host(const struct nlmsghdr *message)
{
	return attr_of(message, NDA_DST) || attr_of(message, NDA_NH_ID_);
}

static void add_to_tunnel(struct filling *f, const struct nlmsghdr *message)
{
	static const int known[] = { NDA_LLADDR, NDA_DST, NDA_PORT, NDA_VNI, NDA_SRC_VNI, NDA_IFINDEX, NDA_NH_ID_ };
	const struct ndmsg *ndm = nlmsg_data(message);
	const struct ndmsg head = { .ndm_family = AF_BRIDGE,
				    .ndm_ifindex = ndm->ndm_ifindex,
				    .ndm_state = ndm->ndm_state,
				    .ndm_flags = ndm->ndm_flags | NTF_SELF };
	const uint8_t *mac = nla_data(attr_of(message, NDA_LLADDR));
	const bool many = !memcmp(mac, "\0\0\0\0\0", 6) || (*mac & 1);

	route_message(&f->batch, RTM_NEWNEIGH, NLM_F_CREATE | (many ? NLM_F_APPEND : NLM_F_REPLACE), &head,
		      sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct nlattr *attr = attr_of(message, known[i]);

		if (attr)
			route_attr(&f->batch, known[i], nla_data(attr), (size_t)nla_len(attr));
	}
	route_message_end(&f->batch);
}

static int fill_entry(const struct nlmsghdr *message, void *arg)
{
	struct filling *f = arg;
	struct ndmsg head = *(const struct ndmsg *)nlmsg_data(message);
	const struct nlattr *address = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(head), NDA_LLADDR);
	const struct nlattr *master = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(head), NDA_MASTER);
	const struct nlattr *vlan = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(head), NDA_VLAN);

	if (!address || nla_len(address) < 1)
		return -EBADMSG;
	if (nla_len(address) == 6 && leads_to_host(message))
		return add_to_tunnel(f, message), 0;
	if ((head.ndm_flags & NTF_SELF) && is_multicast(address))
		return join(f, &head, address);
	/* Requests name the table: that of the bridge itself, or of the bridge of a port. */
	if (master && nla_get_u32((struct nlattr *)master) != (uint32_t)head.ndm_ifindex)
		head.ndm_flags |= NTF_MASTER;
	else
		head.ndm_flags |= NTF_SELF;
	route_message(&f->batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	route_attrs(&f->batch, address, NLA_ALIGN(address->nla_len));
	if (vlan)
		route_attrs(&f->batch, vlan, NLA_ALIGN(vlan->nla_len));
	route_message_end(&f->batch);
	return 0;
}

/* The kernel has created some: the addresses of ports, and of a macvlan on the device below. */
static int entry_failed(void *what, uint32_t nr, int err, const char *why)
{
	return err == -EEXIST ? 0 : net_failed(what, nr, err, why);
}

static int fill(const struct net_state *state, enum net_list list, int (*fn)(const struct nlmsghdr *message, void *arg),
		netlink_failure failed)
{
	struct filling f = { .state = state };
	char what[64];
	int err = net_messages_each(&state->lists[list], fn, &f);

	snprintf(what, sizeof(what), "restore the entries of a %s",
		 list == NET_FDB ? "forwarding table" : "multicast table");
	if (!err && f.batch.nr)
		err = route_batch_run(&f.batch, state->route, failed, what);
	else if (err == -EBADMSG)
		fail(err, "%s", what);
	route_batch_free(&f.batch);
	return err;
}

int net_fdb_fill(const struct net_state *state)
{
	return fill(state, NET_FDB, fill_entry, entry_failed);
}

/* ---- multicast groups ---- */

struct groups {
	struct buf *to;
	uint32_t bridge;
	bool cannot;
};

static void copy_attr(struct route_batch *b, int type, const struct nlattr *attr)
{
	if (attr)
		route_attr(b, type, nla_data(attr), (size_t)nla_len(attr));
}

/* As the request that adds it. */
static int add_group(struct groups *g, struct br_mdb_entry entry, const struct nlattr *attrs, int len)
{
	const struct br_port_msg head = { .family = AF_BRIDGE, .ifindex = g->bridge };
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	const struct nlattr *source = nla_find(attrs, len, MDB_SOURCE);
	struct nlattr *nest;

	entry.flags = 0; /* state */
	route_message(&b, RTM_NEWMDB, 0, &head, sizeof(head));
	route_attr(&b, MDBA_SET_ENTRY, &entry, sizeof(entry));
	nest = route_nest(&b, MDBA_SET_ENTRY_ATTRS);
	copy_attr(&b, MDB_SET_SOURCE, source);
	if (!source)
		copy_attr(&b, MDB_SET_GROUP_MODE, nla_find(attrs, len, MDB_GROUP_MODE));
	copy_attr(&b, MDB_SET_RTPROT, nla_find(attrs, len, MDB_RTPROT));
	route_nest_end(&b, nest);
	route_message_end(&b);
	return b.err ? b.err : buf_add(g->to, b.bytes.data, b.bytes.len);
}

static int keep_group(struct groups *g, const struct nlattr *info)
{
	const int head = NLA_ALIGN(sizeof(struct br_mdb_entry));
	const struct nlattr *attrs = (const void *)((const char *)nla_data(info) + head), *protocol, *sources;
	struct br_mdb_entry entry;
	int len = nla_len(info) - head;

	if (nla_type(info) != MDBA_MDB_ENTRY_INFO || len < 0)
		return 0;
	memcpy(&entry, nla_data(info), sizeof(entry));
	protocol = nla_find(attrs, len, MDB_RTPROT);
	sources = nla_find(attrs, len, MDB_SRC_LIST);
	/* Those of the bridge itself are joined by protocols. */
	if (entry.ifindex == g->bridge ||
	    (entry.state != MDB_PERMANENT && (!protocol || nla_get_u8((struct nlattr *)protocol) == RTPROT_KERNEL)))
		return 0;
	if (sources && nla_len(sources))
		g->cannot = true;
	return add_group(g, entry, attrs, len);
}

static int see_groups(struct nlmsghdr *message, void *arg)
{
	struct groups *g = arg;
	const struct br_port_msg *head = nlmsg_data(message);
	const struct nlattr *all = nlmsg_find_attr(message, sizeof(*head), MDBA_MDB), *group, *info;
	int err = 0, left, left_in;

	if (!all)
		return 0;
	g->bridge = head->ifindex;
	nla_for_each_nested(group, all, left)
	{
		nla_for_each_nested(info, group, left_in)
		{
			if (!err)
				err = keep_group(g, info);
		}
	}
	return err;
}

/* Unlike others, the kernel answers with messages of the type of the request. */
static int list_groups(struct nl_sock *route, struct groups *groups)
{
	struct br_port_msg head = { .family = AF_BRIDGE };
	const struct netlink_answer answer = { .type = RTM_GETMDB, .fn = see_groups, .arg = groups };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETMDB, NLM_F_DUMP);

	if (msg && !nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO))
		return netlink_list(route, msg, &answer);
	nlmsg_free(msg);
	return -ENOMEM;
}

int net_mdb_list(struct dump *dump, const struct ns *ns, struct nl_sock *route, struct buf *to)
{
	struct groups groups = { .to = to };
	int err = list_groups(route, &groups);

	if (err && err != -EOPNOTSUPP)
		return fail(err, "list the multicast groups of bridges (rtnetlink, RTM_GETMDB)");
	if (groups.cannot)
		dump_blocker(
			dump, ns->member ? dump_task_of(ns->member) : NULL, -1,
			"network namespace %u: a multicast group of bridge %u that was added by hand has a list of sources: "
			"not implemented; delete it (bridge mdb del)",
			ns->id, groups.bridge);
	return 0;
}

static int fill_group(const struct nlmsghdr *message, void *arg)
{
	struct filling *f = arg;

	route_copy(&f->batch, RTM_NEWMDB, NLM_F_CREATE | NLM_F_EXCL, message + 1,
		   message->nlmsg_len - sizeof(*message));
	return 0;
}

int net_mdb_fill(const struct net_state *state)
{
	return fill(state, NET_MDB, fill_group, entry_failed);
}
