// SPDX-License-Identifier: GPL-2.0-only
/* Restores what a network namespace filters and tracks: from images of ours, and of CRIU. */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include "image/reader.h"
#include "internal.h"
#include "kernel/ns_run.h"
#include "netfilter/conntrack.h"
#include "netfilter/criu_lock.h"
#include "netfilter/iptables_text.h"
#include "netfilter/nft_text.h"
#include "netfilter/ruleset.h"
#include "netfilter/xtables.h"
#include "netlink/exchange.h"
#include "util/log.h"

/* All of a raw image, with a NUL after it; empty if there is none. */
static int read_raw(struct restore *r, enum image_type type, const struct ns *ns, char **ret_bytes, size_t *ret_len)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	const void *bytes = NULL;
	int err = image_open(r->dir, type, ns->id, &img);

	*ret_len = 0;
	if (err && err != -ENOENT)
		return fail(err, "%s", image_store_error(r->dir));
	if (!err)
		*ret_len = image_left(img);
	if (*ret_len)
		err = image_read_raw(img, *ret_len, &bytes);
	if (err && err != -ENOENT)
		return fail(err, "%s", image_error(img));
	*ret_bytes = restore_alloc(r, *ret_len + 1);
	if (!*ret_bytes)
		return fail(-ENOMEM, "rules of a network namespace");
	if (*ret_len)
		memcpy(*ret_bytes, bytes, *ret_len);
	(*ret_bytes)[*ret_len] = 0;
	return 0;
}

/* ---- reading ---- */

static int load_nft(struct restore *r, const struct ns *ns, struct net_state *state)
{
	size_t len;
	int err;

	if (state->entry->has_nft)
		return 0;
	err = read_raw(r, IMAGE_NFTABLES, ns, &state->nft_text, &len);
	if (err)
		return err;
	if (strlen(state->nft_text) != len)
		return fail(-EBADMSG, "nftables-%u.img is not text", ns->id);
	nft_text_remove_lock(state->nft_text);
	if (!state->nft_text[strspn(state->nft_text, " \t\n")])
		state->nft_text = NULL;
	return 0;
}

static int load_text(struct restore *r, const struct ns *ns, enum image_type type, char **ret_text)
{
	size_t len;
	int err = read_raw(r, type, ns, ret_text, &len);

	if (!err && strlen(*ret_text) != len)
		err = fail(-EBADMSG, "images of network namespace %u: rules of iptables are not text", ns->id);
	if (!err && !iptables_text_has_rules(*ret_text))
		*ret_text = NULL;
	if (!err && *ret_text)
		iptables_text_remove_lock(*ret_text);
	return err;
}

static int load_iptables(struct restore *r, const struct ns *ns, struct net_state *state)
{
	const NetnsEntry *entry = state->entry;
	int err = 0;

	for (size_t i = 0; i < entry->n_xtables; i++)
		if (entry->xtables[i]->n_hook_entry != XTABLES_HOOKS || entry->xtables[i]->n_underflow != XTABLES_HOOKS)
			return fail(-EBADMSG, "netns-%u.img: xtables: table %s has not %d hooks", ns->id,
				    entry->xtables[i]->name, XTABLES_HOOKS);
	if (!entry->n_xtables)
		err = load_text(r, ns, IMAGE_IPTABLES, &state->iptables_text);
	if (!err && !entry->n_xtables)
		err = load_text(r, ns, IMAGE_IP6TABLES, &state->ip6tables_text);
	return err;
}

int netfilter_load(struct restore *r, const struct ns *ns, struct net_state *state)
{
	char *tracked;
	int err = load_nft(r, ns, state);

	if (!err)
		err = load_iptables(r, ns, state);
	if (!err)
		err = read_raw(r, IMAGE_NETNF_CT, ns, &tracked, &state->tracked.len);
	if (!err)
		state->tracked.bytes = tracked;
	return err;
}

/* ---- creating ---- */

static int create_from_texts(void *arg)
{
	const struct net_state *state = arg;
	int err = state->nft_text ? nft_text_execute(state->nft_text) : 0;

	if (err == -ENOPKG)
		return fail(err,
			    "the images have rules of nftables as text: libnftables (Debian: libnftables1) is needed");
	if (!err && state->iptables_text)
		err = iptables_text_execute(AF_INET, state->iptables_text);
	if (!err && state->ip6tables_text)
		err = iptables_text_execute(AF_INET6, state->ip6tables_text);
	return err;
}

static bool has_texts(const struct net_state *state)
{
	return state->nft_text || state->iptables_text || state->ip6tables_text;
}

int netfilter_execute_texts(struct restore *r)
{
	const struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct net_state *state = ns->data;
		int result = 0;

		if (err || !state || !has_texts(state))
			continue;
		err = ns_run_in(&ns->fd, 1, create_from_texts, state, &result);
		err = err ? fail(err, "enter the network namespace %u", ns->id) : result;
	}
	return err;
}

static int create_tables(const NetnsEntry *entry)
{
	int err = 0;

	for (size_t i = entry->n_xtables; !err && i-- > 0;) {
		const NetXtable *e = entry->xtables[i];
		struct xtable table = { .family = (int)e->family,
					.name = e->name,
					.valid_hooks = e->valid_hooks,
					.nr_entries = e->nr_entries,
					.entries = e->entries.data,
					.size = e->entries.len };

		memcpy(table.hook_entry, e->hook_entry, sizeof(table.hook_entry));
		memcpy(table.underflow, e->underflow, sizeof(table.underflow));
		err = xtable_replace(&table);
	}
	return err;
}

int netfilter_fill(const struct net_state *state)
{
	const NetnsEntry *entry = state->entry;
	_cleanup_netlink_ struct nl_sock *netlink = NULL;
	int err = 0;

	if (entry->has_nft || state->tracked.len) {
		err = netlink_open(NETLINK_NETFILTER, &netlink);
		if (!err)
			err = netlink_prepare_transactions(netlink);
		if (err)
			return fail(err, "open a netlink socket for netfilter");
	}
	if (entry->has_nft)
		err = nft_ruleset_create(netlink, entry->nft.data, entry->nft.len);
	if (!err)
		err = create_tables(entry);
	return err || !state->tracked.len ? err : conntrack_create(netlink, state->tracked.bytes, state->tracked.len);
}
