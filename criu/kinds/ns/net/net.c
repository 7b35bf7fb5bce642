// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network namespaces: devices, addresses, routes, rules, neighbours, settings. Sockets are saved and restored by their own kinds.
 * network_namespaces(7), rtnetlink(7)
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include "base/bits.h"
#include "image/writer.h"
#include "internal.h"
#include "kinds/kinds.h"
#include "qdiscs.h"
#include "run/external.h"
#include "run/network.h"
#include "stp.h"
#include "util/fds.h"
#include "util/log.h"

/* ---- dump ---- */

static int save_conf(struct dump *dump, NetnsEntry *entry)
{
	struct conf_list lists[2 * CONF_FAMILIES];
	int err = 0;

	for (int i = 0; !err && i < CONF_FAMILIES; i++) {
		err = conf_save_files(dump, i, "default", &lists[2 * i]);
		if (!err)
			err = conf_save_files(dump, i, "all", &lists[2 * i + 1]);
	}
	if (err)
		return err;
	entry->def_conf4 = lists[0].v;
	entry->n_def_conf4 = lists[0].n;
	entry->all_conf4 = lists[1].v;
	entry->n_all_conf4 = lists[1].n;
	entry->def_conf6 = lists[2].v;
	entry->n_def_conf6 = lists[2].n;
	entry->all_conf6 = lists[3].v;
	entry->n_all_conf6 = lists[3].n;
	return 0;
}

/* --external net[INO]:KEY */
static const char *key_of(const struct dump *dump, const struct ns *ns)
{
	char id[40];

	snprintf(id, sizeof(id), "net[%" PRIu64 "]", ns->ino);
	return external_key(dump->opts, id);
}

/* Engines disconnect a network of the tree's own, whether it has connections or not. */
static int net_survey(struct dump *dump)
{
	bool has_own = false;
	struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_NET) {
		ns->external = !ns->own && key_of(dump, ns);
		has_own |= !ns->own;
	}
	return has_own ? network_announce_lock(dump) : 0;
}

static int save_external(struct dump *dump, const struct ns *ns)
{
	NetnsEntry entry = NETNS_ENTRY__INIT;
	int err;

	entry.ext_key = dump_strdup(dump, key_of(dump, ns));
	err = entry.ext_key ? image_write_single(dump->dir, IMAGE_NETNS, ns->id, &entry.base) : -ENOMEM;
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int net_save(struct dump *dump, struct ns *ns)
{
	_cleanup_netlink_ struct nl_sock *route = NULL;
	NetnsEntry entry = NETNS_ENTRY__INIT;
	struct net_found found = { false };
	int err;

	if (ns->external)
		return save_external(dump, ns);
	/* --empty-ns net: another program makes its content. */
	if (dump->opts->empty_netns)
		return 0;
	err = route_open(&route);
	if (err)
		return fail(err, "open a netlink socket");
	err = net_devices_save(dump, ns, route, &entry, &found);
	if (!err)
		err = net_lists_save(dump, ns, route, &found, &entry);
	if (!err)
		err = net_refuse(dump, ns, route);
	if (!err)
		err = netfilter_save(dump, ns, &entry);
	if (!err)
		err = save_conf(dump, &entry);
	if (!err)
		err = net_sysctls_save(dump, &entry);
	if (err)
		return err;
	err = image_write_single(dump->dir, IMAGE_NETNS, ns->id, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* ---- restore ---- */

static int check_conf(const struct ns *ns, const NetnsEntry *entry)
{
	const struct conf_list lists[] = { { entry->def_conf4, entry->n_def_conf4 },
					   { entry->all_conf4, entry->n_all_conf4 },
					   { entry->def_conf6, entry->n_def_conf6 },
					   { entry->all_conf6, entry->n_all_conf6 } };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(lists); i++)
		err = conf_check("netns", ns->id, i < 2 ? CONF_IPV4 : CONF_IPV6, &lists[i]);
	return err;
}

/* It is passed to us. Nothing of its content is in the images. */
static int load_external(struct restore *r, const struct ns *ns, struct net_state *state, const char *key)
{
	const struct inherit_fd *given = external_inherited(r->opts, key);

	if (!given)
		return fail(-ENOENT,
			    "netns-%u.img: the network namespace was external: pass one with --inherit-fd 'fd[N]:%s'",
			    ns->id, key);
	if (ioctl(given->fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return fail(-EINVAL, "--inherit-fd fd[%d]:%s: not a network namespace", given->fd, key);
	state->given = given;
	return 0;
}

/* --empty-ns net: it is created, and left empty; engines use it together with an external one, which has precedence. */
static int load_empty(struct restore *r, struct ns *ns, struct net_state *state)
{
	struct restore_records found;
	int err = restore_read_records(r, IMAGE_NETNS, ns->id, &netns_entry__descriptor, &found);

	state->entry = !err && found.n ? (NetnsEntry *)found.v[0] : NULL;
	if (err || !state->entry || !state->entry->ext_key)
		return err;
	ns->data = state;
	return load_external(r, ns, state, state->entry->ext_key);
}

static int net_load(struct restore *r, struct ns *ns)
{
	struct net_state *state = restore_alloc(r, sizeof(*state));
	int err;

	if (!state)
		return fail(-ENOMEM, "network namespaces");
	r->tool.announces_network = true;
	state->ns = ns;
	state->devices_dir = -1;
	if (r->opts->empty_netns)
		return load_empty(r, ns, state);
	ns->data = state;
	err = restore_read_record(r, IMAGE_NETNS, ns->id, &netns_entry__descriptor, &state->entry);
	if (err)
		return err;
	if (state->entry->ext_key)
		return load_external(r, ns, state, state->entry->ext_key);
	err = check_conf(ns, state->entry);
	if (!err)
		err = net_sysctls_check(ns, state->entry);
	if (!err)
		err = net_devices_load(r, ns, state);
	if (!err)
		err = net_lists_load(r, ns, state);
	return err ? err : netfilter_load(r, ns, state);
}

/* What devices inherit, or what must not change them later, comes first. */
static int net_fill(struct restore *r, struct ns *ns)
{
	const struct net_state *state = ns->data;
	const NetnsEntry *entry = state ? state->entry : NULL;
	int err;

	if (!entry)
		return 0;
	err = conf_fill_files(r, CONF_IPV4, "all", &(struct conf_list){ entry->all_conf4, entry->n_all_conf4 });
	if (!err)
		err = conf_fill_files(r, CONF_IPV6, "all", &(struct conf_list){ entry->all_conf6, entry->n_all_conf6 });
	if (!err)
		err = conf_fill_files(r, CONF_IPV4, "default",
				      &(struct conf_list){ entry->def_conf4, entry->n_def_conf4 });
	if (!err)
		err = conf_fill_files(r, CONF_IPV6, "default",
				      &(struct conf_list){ entry->def_conf6, entry->n_def_conf6 });
	return err ? err : net_sysctls_fill_first(r, entry);
}

/*
 * The devices of all namespaces are configured. IPv4 addresses create their routes when a device goes up; IPv6 ones disappear when
 * it is down.
 */
static int bring_up(struct restore *r, struct net_state *state)
{
	int err = net_devices_conf(r, state);

	if (!err)
		err = net_tokens_fill(r, state);
	if (!err)
		err = net_vlans_fill(state);
	if (!err)
		err = net_features_fill(state);
	if (!err)
		err = net_addresses_fill(state, false);
	if (!err)
		err = net_qdiscs_fill(state);
	if (!err)
		err = netfilter_fill(state);
	return err ? err : net_devices_up(state);
}

/* Their devices are up. */
static int fill_rest(struct restore *r, struct net_state *state)
{
	int err = net_stp_fill(state);

	if (!err)
		err = net_addresses_fill(state, true);
	if (!err)
		err = net_devices_settle(state);
	if (!err)
		err = net_labels_fill(state);
	if (!err)
		err = net_lists_fill(state);
	if (!err)
		err = net_fdb_fill(state);
	if (!err)
		err = net_mdb_fill(state);
	if (!err)
		err = net_neighbour_tables_fill(state);
	if (!err)
		err = net_mptcp_fill(state);
	if (!err)
		err = net_ipv6_genl_fill(state);
	if (!err)
		err = net_settings_fill_polling(r, state);
	if (!err)
		err = net_port_states_fill(state);
	return err ? err : net_sysctls_fill(r, state->entry);
}

struct in_network {
	struct restore *r;
	struct net_state *state;
	int (*fn)(struct restore *, struct net_state *);
};

static int call_in_network(void *arg)
{
	const struct in_network *call = arg;

	return call->fn(call->r, call->state);
}

static int in_each(struct restore *r, int (*fn)(struct restore *, struct net_state *))
{
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		LOG_SCOPE("network namespace %u", ns->id);

		if (!err && ns->data && !((struct net_state *)ns->data)->given)
			err = network_run(r, ns, call_in_network, &(struct in_network){ r, ns->data, fn });
	}
	return err;
}

static int open_socket(struct restore *r, struct net_state *state)
{
	int err = route_open(&state->route);

	return err ? fail(err, "open a netlink socket") : net_ids_fill(r, state);
}

static int fill_queues(struct restore *r, struct net_state *state)
{
	int err = net_channels_fill(state);

	return err ? err : net_settings_fill(r, state);
}

/* In the tool, which may also create devices outside of the tree. */
static int net_namespaces_made(struct restore *r)
{
	int err = in_each(r, open_socket);

	if (!err)
		err = in_each(r, net_fallbacks_find);
	if (!err)
		err = in_each(r, net_tuns_make);
	if (!err)
		err = net_devices_make(r);
	if (!err)
		err = in_each(r, fill_queues);
	return err ? err : netfilter_execute_texts(r);
}

/* A copy of the descriptor, as if we had created it. */
static int net_prepare(struct restore *r)
{
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		const struct net_state *state = ns->data;
		const struct inherit_fd *given = state ? state->given : NULL;

		if (!given)
			continue;
		ns->fd = dup_fd_above(given->fd, r->service_base);
		if (ns->fd < 0)
			return fail(ns->fd, "--inherit-fd fd[%d]:%s", given->fd, given->key);
	}
	return 0;
}

static int net_link(struct restore *r)
{
	return net_devices_link(r);
}

static void close_sockets(struct restore *r)
{
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct net_state *state = ns->data;

		if (state && state->route)
			netlink_close(&state->route);
		if (state)
			net_settings_close(state);
	}
}

/* Tasks have their own copies, or none. */
static int close_queues(struct restore *r)
{
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_NET)
		if (ns->data)
			net_tuns_close(ns->data);
	return 0;
}

static int net_ready(struct restore *r)
{
	int err = in_each(r, net_settings_fill_later);

	return err ? err : close_queues(r);
}

static void net_undo(struct restore *r)
{
	close_sockets(r);
	close_queues(r);
}

static int net_in_namespaces(struct restore *r)
{
	int err = net_devices_configure(r);

	if (!err)
		err = in_each(r, bring_up);
	if (!err)
		err = in_each(r, fill_rest);
	close_sockets(r);
	return err;
}

const struct run_kind net_ns_run = {
	.name = "network namespace",
	.namespaces = BIT(NS_NET),
	.can_join = true,
	.survey = net_survey,
	.save_namespace = net_save,
	.load_namespace = net_load,
	.link = net_link,
	.prepare = net_prepare,
	.fill_namespace = net_fill,
	.namespaces_made = net_namespaces_made,
	.in_namespaces = net_in_namespaces,
	.ready = net_ready,
	.failed = net_undo,
};
