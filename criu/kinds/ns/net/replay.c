// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new namespace gets the objects in its images: what the kernel has created by itself (local routes, link-local addresses) and
 * is not in them is removed, what is missing is added.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/bits.h"
#include "internal.h"
#include "util/log.h"

#define WORKER_STEP_NS 200000
#define WORKER_TRIES 200
#define IFA_F_TENTATIVE_ANY (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)

/* Copies of messages that may be changed. */
ARRAY_OF(message_array, struct nlmsghdr *);

static void free_messages(struct message_array *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->v[i]);
	array_free(all);
}
#define _cleanup_messages_ __attribute__((cleanup(free_messages)))

static int add_copy(const struct nlmsghdr *message, void *arg)
{
	struct message_array *to = arg;
	struct nlmsghdr *copy = malloc(message->nlmsg_len);

	if (!copy || array_add(to, copy)) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, message, message->nlmsg_len);
	net_message_clean(copy);
	return 0;
}

static int add_listed(struct nlmsghdr *message, void *arg)
{
	return add_copy(message, arg);
}

static bool contains(const struct message_array *all, const struct nlmsghdr *message)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i] && net_message_is_same(all->v[i], message))
			return true;
	return false;
}

/* ---- requests ---- */

struct attempt {
	size_t nr;
	bool *failed;
	int err; /* the last one */
	char why[96];
};

static int note_failure(void *arg, uint32_t nr, int err, const char *why)
{
	struct attempt *attempt = arg;

	if (err == -EEXIST || nr >= attempt->nr)
		return 0;
	attempt->failed[nr] = true;
	attempt->err = err;
	snprintf(attempt->why, sizeof(attempt->why), "%s%s", *why ? ": " : "", why);
	return 0;
}

static int send_all(struct nl_sock *sk, const struct message_array *all, int type_offset, int flags,
		    struct attempt *attempt)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };

	for (size_t i = 0; i < all->n; i++)
		route_copy(&b, all->v[i]->nlmsg_type + type_offset, flags, all->v[i] + 1,
			   all->v[i]->nlmsg_len - sizeof(struct nlmsghdr));
	return route_batch_run(&b, sk, note_failure, attempt);
}

/* For errors: "10.0.0.0/8", "default" */
static const char *text_of(struct nlmsghdr *message, char *text, size_t size)
{
	/* All these headers begin with the address family, a prefix length follows. */
	const struct rtmsg *head = nlmsg_data(message);
	size_t len = message->nlmsg_type == RTM_NEWADDR ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg);
	const struct nlattr *to =
		message->nlmsg_type == RTM_NEWNEXTHOP ? NULL : nlmsg_find_attr(message, (int)len, RTA_DST);
	char address[INET6_ADDRSTRLEN] = "default";

	if (to && nla_len(to) >= (head->rtm_family == AF_INET6 ? 16 : 4))
		inet_ntop(head->rtm_family == AF_INET6 ? AF_INET6 : AF_INET, nla_data(to), address, sizeof(address));
	snprintf(text, size, "%s/%u", address, head->rtm_dst_len);
	return text;
}

/* Objects may depend on each other (gateways, groups): as long as some of them succeed, the others are tried again. */
static int add_all(struct nl_sock *sk, struct message_array *all, int flags, const char *name)
{
	char text[INET6_ADDRSTRLEN + 8];

	while (all->n) {
		_cleanup_free_ bool *failed = calloc(all->n, sizeof(*failed));
		struct attempt attempt = { .nr = all->n, .failed = failed };
		int err = failed ? send_all(sk, all, 0, flags, &attempt) : -ENOMEM;
		size_t n = 0;

		for (size_t i = 0; !err && i < all->n; i++) {
			if (failed[i])
				all->v[n++] = all->v[i];
			else
				free(all->v[i]);
		}
		if (!err && n == all->n)
			err = attempt.err;
		if (err)
			return fail(err, "restore the %s %s%s", name, text_of(all->v[0], text, sizeof(text)),
				    attempt.why);
		all->n = n;
	}
	return 0;
}

static int remove_all(struct nl_sock *sk, const struct message_array *all, const char *name)
{
	_cleanup_free_ bool *failed = calloc(all->n + 1, sizeof(*failed));
	struct attempt attempt = { .nr = all->n, .failed = failed };
	int err = failed ? send_all(sk, all, 1, 0, &attempt) : -ENOMEM;

	/* What depends on another object has disappeared with it. */
	return err ? fail(err, "remove a %s that the kernel has created", name) : 0;
}

static int list_now(struct nl_sock *sk, const struct route_query *query, struct message_array *ret)
{
	struct route_query q = *query;
	int err;

	q.fn = add_listed;
	q.arg = ret;
	err = route_list(sk, &q);
	/* A kernel without policy routing, or without those of that address family, has none. */
	return q.type == RTM_GETRULE && (err == -EOPNOTSUPP || err == -EAFNOSUPPORT) ? 0 : err;
}

/* Copies those of @all that are not in @of. */
static int find_others(const struct message_array *all, const struct message_array *of, struct message_array *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < all->n; i++)
		if (!contains(of, all->v[i]))
			err = add_copy(all->v[i], ret);
	return err;
}

/* What a namespace has, and what it lacks, compared with the images. */
struct comparison {
	struct message_array saved, now, extra, missing;
};

static void free_comparison(struct comparison *c)
{
	free_messages(&c->saved);
	free_messages(&c->now);
	free_messages(&c->extra);
	free_messages(&c->missing);
}
#define _cleanup_comparison_ __attribute__((cleanup(free_comparison)))

static int compare(const struct net_state *state, const struct route_query *query, struct comparison *c)
{
	int err;

	free_messages(&c->now);
	free_messages(&c->extra);
	free_messages(&c->missing);
	err = list_now(state->route, query, &c->now);
	if (!err)
		err = find_others(&c->saved, &c->now, &c->missing);
	return err ? err : find_others(&c->now, &c->saved, &c->extra);
}

/* The kernel adds the local route of an IPv6 address in a worker. */
static bool is_expected(struct nlmsghdr *message)
{
	const struct rtmsg *rtm = nlmsg_data(message);

	return message->nlmsg_type == RTM_NEWROUTE && rtm->rtm_family == AF_INET6 &&
	       rtm->rtm_protocol == RTPROT_KERNEL && rtm->rtm_table == RT_TABLE_LOCAL;
}

static bool expects_any(const struct message_array *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (is_expected(all->v[i]))
			return true;
	return false;
}

static int compare_settled(const struct net_state *state, const struct route_query *query, struct comparison *c)
{
	static const struct timespec step = { .tv_nsec = WORKER_STEP_NS };
	int err = compare(state, query, c);

	for (int tries = 0; !err && tries < WORKER_TRIES && expects_any(&c->missing); tries++) {
		nanosleep(&step, NULL); /* style: the event (RTM_NEWADDR) precedes the route */
		err = compare(state, query, c);
	}
	return err;
}

static uint32_t table_of(struct nlmsghdr *message)
{
	const struct rtmsg *rtm = nlmsg_data(message);
	const struct nlattr *table = nlmsg_find_attr(message, sizeof(*rtm), RTA_TABLE);

	return table ? nla_get_u32(table) : rtm->rtm_table;
}

/* CRIU 4.2 saves routes of the main table only: the others remain as the kernel has created them. */
static void keep_other_tables(struct message_array *extra)
{
	size_t n = 0;

	for (size_t i = 0; i < extra->n; i++) {
		if (table_of(extra->v[i]) == RT_TABLE_MAIN)
			extra->v[n++] = extra->v[i];
		else
			free(extra->v[i]);
	}
	extra->n = n;
}

/* @lists: those of one type, which @query lists. */
static int reconcile(const struct net_state *state, const enum net_list *lists, size_t nr,
		     const struct route_query *query, int flags)
{
	_cleanup_comparison_ struct comparison c = { .saved = { 0 } };
	const char *name = net_list_name(lists[0]);
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++)
		err = net_messages_each(&state->lists[lists[i]], add_copy, &c.saved);
	if (!err)
		err = compare_settled(state, query, &c);
	if (err)
		return fail(err, "compare the %ss of a network namespace", name);
	for (size_t i = 0; i < nr; i++)
		if (lists[i] == NET_OTHER_ROUTES && state->absent[lists[i]])
			keep_other_tables(&c.extra);
	err = c.extra.n ? remove_all(state->route, &c.extra, name) : 0;
	return err ? err : add_all(state->route, &c.missing, flags, name);
}

/* ---- addresses ---- */

static uint32_t flags_of(struct nlmsghdr *message)
{
	const struct ifaddrmsg *ifa = nlmsg_data(message);
	const struct nlattr *flags = nlmsg_find_attr(message, sizeof(*ifa), IFA_FLAGS);

	return flags ? nla_get_u32(flags) : ifa->ifa_flags;
}

static void set_flags(struct nlmsghdr *message, uint32_t value)
{
	struct ifaddrmsg *ifa = nlmsg_data(message);
	struct nlattr *flags = nlmsg_find_attr(message, sizeof(*ifa), IFA_FLAGS);

	ifa->ifa_flags = (uint8_t)value;
	if (flags)
		memcpy(nla_data(flags), &value, sizeof(value));
}

/* An address that could be used before can be used at once. */
static bool skips_dad(struct nlmsghdr *message)
{
	return !(flags_of(message) & (IFA_F_TENTATIVE_ANY | IFA_F_NODAD));
}

static bool is_family(struct nlmsghdr *message, bool v6)
{
	return ((const struct ifaddrmsg *)nlmsg_data(message))->ifa_family == (v6 ? AF_INET6 : AF_INET);
}

static int copy_addresses(const struct net_state *state, bool v6, struct message_array *ret)
{
	struct message_array all = { 0 };
	int err = net_messages_each(&state->lists[NET_ADDRESSES], add_copy, &all);

	for (size_t i = 0; !err && i < all.n; i++)
		if (is_family(all.v[i], v6))
			err = add_copy(all.v[i], ret);
	free_messages(&all);
	return err;
}

/* Device, prefix and address: the same one, whatever its flags and lifetimes are. */
static bool is_same_address(struct nlmsghdr *a, struct nlmsghdr *b)
{
	const struct ifaddrmsg *x = nlmsg_data(a), *y = nlmsg_data(b);
	static const int keys[] = { IFA_ADDRESS, IFA_LOCAL };

	if (x->ifa_family != y->ifa_family || x->ifa_index != y->ifa_index || x->ifa_prefixlen != y->ifa_prefixlen)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct nlattr *k = nlmsg_find_attr(a, sizeof(*x), keys[i]),
			      *l = nlmsg_find_attr(b, sizeof(*y), keys[i]);

		if (!k != !l || (k && (nla_len(k) != nla_len(l) || memcmp(nla_data(k), nla_data(l), nla_len(k)))))
			return false;
	}
	return true;
}

/* Those that the kernel has given to the devices, and that are not in the images. */
static int remove_other_addresses(const struct net_state *state, uint8_t family)
{
	_cleanup_messages_ struct message_array saved = { 0 }, now = { 0 }, extra = { 0 };
	const struct ifaddrmsg head = { .ifa_family = family };
	int err = list_now(state->route,
			   &(struct route_query){ .type = RTM_GETADDR, .header = &head, .len = sizeof(head) }, &now);

	if (!err)
		err = net_messages_each(&state->lists[NET_ADDRESSES], add_copy, &saved);
	for (size_t i = 0; !err && i < now.n; i++) {
		bool known = false;

		for (size_t j = 0; j < saved.n; j++)
			known |= is_same_address(now.v[i], saved.v[j]);
		err = known ? 0 : add_copy(now.v[i], &extra);
	}
	if (err)
		return fail(err, "list the addresses of a network namespace");
	return extra.n ? remove_all(state->route, &extra, "address") : 0;
}

static int restore_flags(const struct net_state *state, const struct message_array *saved)
{
	_cleanup_messages_ struct message_array changed = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < saved->n; i++)
		if (skips_dad(saved->v[i]))
			err = add_copy(saved->v[i], &changed);
	return err ? fail(err, "addresses") : add_all(state->route, &changed, NLM_F_REPLACE, "address");
}

static uint32_t device_of(struct nlmsghdr *message)
{
	return ((const struct ifaddrmsg *)nlmsg_data(message))->ifa_index;
}

/* The kernel puts a new IPv6 address in front of the others of its device. */
static void reverse_each_device(struct message_array *all)
{
	for (size_t first = 0, end; first < all->n; first = end) {
		end = first + 1;
		while (end < all->n && device_of(all->v[end]) == device_of(all->v[first]))
			end++;
		for (size_t i = first, j = end - 1; i < j; i++, j--) {
			struct nlmsghdr *m = all->v[i];

			all->v[i] = all->v[j];
			all->v[j] = m;
		}
	}
}

int net_addresses_fill(const struct net_state *state, bool v6)
{
	_cleanup_messages_ struct message_array saved = { 0 }, sent = { 0 };
	int err = copy_addresses(state, v6, &saved);

	if (!err)
		err = copy_addresses(state, v6, &sent);
	for (size_t i = 0; v6 && !err && i < sent.n; i++)
		if (skips_dad(sent.v[i]))
			set_flags(sent.v[i], flags_of(sent.v[i]) | IFA_F_NODAD);
	if (err)
		return fail(err, "addresses");
	if (v6)
		reverse_each_device(&sent);
	err = add_all(state->route, &sent, NLM_F_CREATE | NLM_F_REPLACE, "address");
	if (!err && v6)
		err = restore_flags(state, &saved);
	/* When it went up, the loopback device got 127.0.0.1 if it had no IPv4 address. */
	return err ? err : remove_other_addresses(state, v6 ? AF_UNSPEC : AF_INET);
}

/* ---- the others ---- */

static int fill_rules(const struct net_state *state)
{
	static const enum net_list rules[] = { NET_RULES, NET_RULES6 };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(rules); i++) {
		const struct rtmsg head = { .rtm_family = i ? AF_INET6 : AF_INET };

		/* CRIU 4.2 does not save IPv6 rules: those of a new namespace remain. */
		if (state->absent[rules[i]])
			continue;
		err = reconcile(state, &rules[i], 1,
				&(struct route_query){ .type = RTM_GETRULE, .header = &head, .len = sizeof(head) },
				NLM_F_CREATE | NLM_F_EXCL);
	}
	return err;
}

static int fill_nexthops(const struct net_state *state)
{
	_cleanup_messages_ struct message_array all = { 0 };
	int err = net_messages_each(&state->lists[NET_NEXTHOPS], add_copy, &all);

	return err ? fail(err, "nexthops") : add_all(state->route, &all, NLM_F_CREATE, "nexthop");
}

/* Of IPv4 routes to one destination, the first one counts: they keep their order. */
static int fill_routes(const struct net_state *state)
{
	static const enum net_list lists[] = { NET_ROUTES, NET_ROUTES6, NET_OTHER_ROUTES };
	const struct rtmsg head = { .rtm_family = AF_UNSPEC };

	return reconcile(state, lists, ARRAY_SIZE(lists),
			 &(struct route_query){ .type = RTM_GETROUTE, .header = &head, .len = sizeof(head) },
			 NLM_F_CREATE | NLM_F_APPEND);
}

static int fill_neighbours(const struct net_state *state)
{
	_cleanup_messages_ struct message_array all = { 0 };
	int err = net_messages_each(&state->lists[NET_NEIGHBOURS], add_copy, &all);

	return err ? fail(err, "neighbours") : add_all(state->route, &all, NLM_F_CREATE | NLM_F_REPLACE, "neighbour");
}

int net_lists_fill(const struct net_state *state)
{
	int err = fill_rules(state);

	if (!err)
		err = fill_nexthops(state);
	if (!err)
		err = fill_routes(state);
	return err ? err : fill_neighbours(state);
}
