// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of IPv6 that have families of generic netlink: of segment routing, the source address of tunnels and the keys of HMACs
 * (ip-sr(8)); of IOAM, namespaces, schemas, and which schema a namespace uses (ip-ioam(8)). Images have the requests that set them.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ioam6_genl.h>
#include <linux/netlink.h>
#include <linux/seg6_genl.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/stat.h>
#include "base/bits.h"
#include "internal.h"
#include "netlink/generic.h"
#include "refuse.h"
#include "util/log.h"
#include "util/proc_root.h"

/* The kernel refuses attributes that it reports, but that are not for that command. */
struct setting {
	uint8_t list, set; /* commands */
	bool is_one; /* no list */
	unsigned char attrs[4];
	unsigned char needs; /* attribute without which there is nothing to set */
};

struct family {
	const char *name, *file; /* below /proc/sys: without it, asking for the family would load a module */
	struct setting settings[3]; /* in the order in which they are set */
};

static const struct family families[] = {
	[0] = { SEG6_GENL_NAME,
		"sys/net/ipv6/seg6_flowlabel",
		{ { SEG6_CMD_GET_TUNSRC, SEG6_CMD_SET_TUNSRC, true, { SEG6_ATTR_DST }, SEG6_ATTR_DST },
		  { SEG6_CMD_DUMPHMAC,
		    SEG6_CMD_SETHMAC,
		    false,
		    { SEG6_ATTR_HMACKEYID, SEG6_ATTR_ALGID, SEG6_ATTR_SECRETLEN, SEG6_ATTR_SECRET },
		    SEG6_ATTR_SECRET } } },
	[NET_IOAM6 - NET_SEG6] = { IOAM6_GENL_NAME,
				   "sys/net/ipv6/ioam6_id",
				   { { IOAM6_CMD_DUMP_NAMESPACES,
				       IOAM6_CMD_ADD_NAMESPACE,
				       false,
				       { IOAM6_ATTR_NS_ID, IOAM6_ATTR_NS_DATA, IOAM6_ATTR_NS_DATA_WIDE },
				       IOAM6_ATTR_NS_ID },
				     { IOAM6_CMD_DUMP_SCHEMAS,
				       IOAM6_CMD_ADD_SCHEMA,
				       false,
				       { IOAM6_ATTR_SC_ID, IOAM6_ATTR_SC_DATA },
				       IOAM6_ATTR_SC_DATA },
				     { IOAM6_CMD_DUMP_NAMESPACES,
				       IOAM6_CMD_NS_SET_SCHEMA,
				       false,
				       { IOAM6_ATTR_NS_ID, IOAM6_ATTR_SC_ID },
				       IOAM6_ATTR_SC_ID } } },
};

static bool is_there(const struct family *family)
{
	struct stat st;

	return !fstatat(proc_root(), family->file, &st, 0);
}

/* ---- dump ---- */

struct listing {
	struct buf *to;
	const struct setting *setting;
};

static const struct nlattr *attr_of(const struct nlmsghdr *message, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct genlmsghdr), type);
}

/* The address of a namespace in which none has been set. */
static bool is_unset(const struct nlattr *attr, const struct setting *setting)
{
	static const struct in6_addr none;

	return setting->set == SEG6_CMD_SET_TUNSRC && setting->needs == SEG6_ATTR_DST &&
	       nla_len(attr) == sizeof(none) && !memcmp(nla_data(attr), &none, sizeof(none));
}

static int keep(struct nlmsghdr *message, void *arg)
{
	const struct listing *l = arg;
	const struct setting *s = l->setting;
	const struct genlmsghdr head = { .cmd = s->set, .version = 1 };
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };

	if (!attr_of(message, s->needs) || is_unset(attr_of(message, s->needs), s))
		return s->is_one;
	route_message(&b, NLMSG_MIN_TYPE, 0, &head, sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(s->attrs) && s->attrs[i]; i++) {
		const struct nlattr *attr = attr_of(message, s->attrs[i]);

		if (attr)
			route_attr(&b, s->attrs[i], nla_data(attr), (size_t)nla_len(attr));
	}
	route_message_end(&b);
	b.err = b.err ? b.err : buf_add(l->to, b.bytes.data, b.bytes.len);
	return b.err ? b.err : s->is_one;
}

static int list_setting(struct nl_sock *generic, int family, const struct setting *setting, struct buf *to)
{
	struct listing listing = { to, setting };
	const struct netlink_answer answer = { family, keep, &listing };
	int err;

	if (setting->is_one)
		return generic_ask(generic, generic_request(family, NLM_F_REQUEST, setting->list), &answer);
	err = netlink_list(generic, generic_request(family, NLM_F_DUMP, setting->list), &answer);
	/* A kernel may lack a part of a family (CONFIG_IPV6_SEG6_HMAC). */
	return err == -EOPNOTSUPP || err == -ENOTSUP ? 0 : err;
}

int net_ipv6_genl_list(enum net_list list, struct buf *to)
{
	const struct family *family = &families[list - NET_SEG6];
	_cleanup_netlink_ struct nl_sock *generic = NULL;
	int number = 0, err = is_there(family) ? generic_open(family->name, &generic, &number) : 0;

	for (size_t i = 0; !err && number && i < ARRAY_SIZE(family->settings) && family->settings[i].set; i++)
		err = list_setting(generic, number, &family->settings[i], to);
	/* GENL_ADMIN_PERM: root of a user namespace may neither list nor set them. */
	if (err == -EPERM || err == -EACCES) {
		log_info("settings of IPv6, family %s: only root of the host may see them; not saved", family->name);
		return 0;
	}
	return err ? fail(err, "list the settings of IPv6 in generic netlink, family %s", family->name) : 0;
}

/* A namespace of a user namespace is filled by root of that. */
void net_ipv6_genl_refuse(struct dump *dump, const struct ns *ns, const struct buf *lists)
{
	struct refusing r = { dump, ns, "settings of ", "remove them (ip sr, ip ioam)", false };

	if (!ns->owner || ns->owner->own)
		return;
	if (lists[NET_SEG6].len || lists[NET_IOAM6].len)
		net_refuse_object(
			&r, "segment routing or IOAM, which only root of the host may set, in a network namespace of "
			    "another user namespace");
}

/* ---- restore ---- */

struct filling {
	struct route_batch batch;
	const struct family *family;
	int number;
};

static int add(const struct nlmsghdr *message, void *arg)
{
	const struct genlmsghdr *head = nlmsg_data(message);
	struct filling *f = arg;

	for (size_t i = 0; i < ARRAY_SIZE(f->family->settings); i++) {
		if (!head->cmd || f->family->settings[i].set != head->cmd)
			continue;
		route_copy(&f->batch, f->number, 0, head, (size_t)nlmsg_datalen(message));
		return 0;
	}
	return -EBADMSG;
}

static int fill(const struct net_messages *saved, const struct family *family)
{
	_cleanup_netlink_ struct nl_sock *generic = NULL;
	struct filling f = { .family = family };
	char what[64] = "restore the settings of IPv6, family ";
	int err;

	if (!saved->len)
		return 0;
	err = is_there(family) ? generic_open(family->name, &generic, &f.number) : 0;
	if (err)
		return fail(err, "open a netlink socket (%s)", family->name);
	if (!f.number)
		return fail(-EOPNOTSUPP,
			    "the network namespace has settings of IPv6 (%s) that this kernel does not have",
			    family->name);
	netlink_want_reasons(generic);
	err = net_messages_each(saved, add, &f);
	if (err)
		fail(err, "settings of IPv6 (%s)", family->name);
	else
		err = route_batch_run(&f.batch, generic, net_failed, strcat(what, family->name));
	route_batch_free(&f.batch);
	return err;
}

int net_ipv6_genl_fill(const struct net_state *state)
{
	int err = fill(&state->lists[NET_SEG6], &families[0]);

	return err ? err : fill(&state->lists[NET_IOAM6], &families[NET_IOAM6 - NET_SEG6]);
}
