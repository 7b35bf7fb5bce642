// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a network namespace filters and tracks: rules of nf_tables and of iptables, connections. CRIU's format has text for
 * both kinds of rules, which it executes with nft(8) and iptables-restore(8). That cannot express all rules, and no program
 * is executed here: so the kernel's own form goes into netns-N.img. Where the text is missing, the files contain a line that
 * those programs refuse: CRIU must not restore the namespace without its rules.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include "image/writer.h"
#include "internal.h"
#include "netfilter/conntrack.h"
#include "netfilter/nft_text.h"
#include "netfilter/ruleset.h"
#include "netfilter/xtables.h"
#include "netlink/exchange.h"
#include "util/log.h"

static int write_raw(struct dump *dump, const struct ns *ns, enum image_type type, const struct buf *bytes)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(dump->dir, type, ns->id, &img);

	if (!err && bytes->len)
		err = image_write_raw(img, bytes->data, bytes->len);
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int copy_bytes(struct dump *dump, const void *bytes, size_t len, ProtobufCBinaryData *ret)
{
	ret->data = dump_alloc(dump, len ?: 1);
	if (!ret->data)
		return fail(-ENOMEM, "network namespace");
	memcpy(ret->data, bytes, len);
	ret->len = len;
	return 0;
}

/* ---- nf_tables ---- */

static int write_text(struct dump *dump, const struct ns *ns, bool any)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = any ? nft_text_read(&text) : 0;

	if (err == -ENOPKG) {
		log_warn(
			"nftables-%u.img has no rules that CRIU could restore: libnftables (Debian: libnftables1) is not installed",
			ns->id);
		err = buf_printf(&text, "the rules are in netns-%u.img, field nft: libnftables was not installed\n",
				 ns->id);
	}
	return err ? err : write_raw(dump, ns, IMAGE_NFTABLES, &text);
}

static int save_nft(struct dump *dump, const struct ns *ns, struct nl_sock *netlink, NetnsEntry *entry)
{
	_cleanup_buf_ struct buf rules = { 0 };
	int err = nft_ruleset_read(netlink, &rules);

	if (err > 0) {
		dump_blocker(
			dump, ns->member ? dump_task_of(ns->member) : NULL, -1,
			"network namespace %u: the nf_tables table %s belongs to a netlink socket (flag owner), and is deleted "
			"when that is closed: not supported; stop the service that created it",
			ns->id, rules.data);
		return 0;
	}
	if (!err && rules.len) {
		entry->has_nft = true;
		err = copy_bytes(dump, rules.data, rules.len, &entry->nft);
	}
	return err ? err : write_text(dump, ns, rules.len);
}

/* ---- iptables ---- */

struct tables {
	struct dump *dump;
	NetnsEntry *entry;
	bool v4, v6;
};

static uint32_t *copy_offsets(struct dump *dump, const uint32_t *offsets)
{
	uint32_t *copy = dump_alloc(dump, XTABLES_HOOKS * sizeof(*copy));

	return copy ? memcpy(copy, offsets, XTABLES_HOOKS * sizeof(*copy)) : NULL;
}

static int keep_table(const struct xtable *table, void *arg)
{
	struct tables *t = arg;
	NetXtable **all = dump_alloc(t->dump, (t->entry->n_xtables + 1) * sizeof(*all));
	NetXtable *e = dump_alloc(t->dump, sizeof(*e));

	if (!all || !e)
		return fail(-ENOMEM, "network namespace");
	net_xtable__init(e);
	e->family = (uint32_t)table->family;
	e->name = dump_alloc(t->dump, strlen(table->name) + 1);
	e->valid_hooks = table->valid_hooks;
	e->n_hook_entry = e->n_underflow = XTABLES_HOOKS;
	e->hook_entry = copy_offsets(t->dump, table->hook_entry);
	e->underflow = copy_offsets(t->dump, table->underflow);
	e->nr_entries = table->nr_entries;
	if (!e->name || !e->hook_entry || !e->underflow)
		return fail(-ENOMEM, "network namespace");
	strcpy(e->name, table->name);
	if (t->entry->n_xtables)
		memcpy(all, t->entry->xtables, t->entry->n_xtables * sizeof(*all));
	all[t->entry->n_xtables++] = e;
	t->entry->xtables = all;
	*(table->family == AF_INET6 ? &t->v6 : &t->v4) = true;
	return copy_bytes(t->dump, table->entries, table->size, &e->entries);
}

static int write_refusal(struct dump *dump, const struct ns *ns, enum image_type type, bool any)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = any ? buf_printf(&text, "the rules are in netns-%u.img, field xtables\n", ns->id) : 0;

	return err ? fail(err, "network namespace") : write_raw(dump, ns, type, &text);
}

static int save_iptables(struct dump *dump, const struct ns *ns, NetnsEntry *entry)
{
	struct tables tables = { .dump = dump, .entry = entry };
	int err = xtables_each(keep_table, &tables);

	if (!err)
		err = write_refusal(dump, ns, IMAGE_IPTABLES, tables.v4);
	return err ? err : write_refusal(dump, ns, IMAGE_IP6TABLES, tables.v6);
}

/* ---- connections ---- */

static int save_tracked(struct dump *dump, const struct ns *ns, struct nl_sock *netlink)
{
	_cleanup_buf_ struct buf tracked = { 0 };
	int expected, err = conntrack_read(netlink, &tracked);

	if (err || !tracked.len)
		return err;
	expected = conntrack_count_expected(netlink);
	if (expected > 0)
		dump_blocker(
			dump, ns->member ? dump_task_of(ns->member) : NULL, -1,
			"network namespace %u: %d connections are expected by helpers of connection tracking (FTP, SIP, ...): "
			"not supported; wait until they exist (conntrack -L expect)",
			ns->id, expected);
	return expected < 0 ? expected : write_raw(dump, ns, IMAGE_NETNF_CT, &tracked);
}

int netfilter_save(struct dump *dump, const struct ns *ns, NetnsEntry *entry)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;
	_cleanup_buf_ struct buf nothing = { 0 };
	int err = netlink_open(NETLINK_NETFILTER, &netlink);

	/* This kernel has none of it but perhaps iptables. */
	if (err == -EPROTONOSUPPORT) {
		err = write_raw(dump, ns, IMAGE_NFTABLES, &nothing);
		return err ? err : save_iptables(dump, ns, entry);
	}
	if (err)
		return fail(err, "open a netlink socket for netfilter");
	err = save_nft(dump, ns, netlink, entry);
	if (!err)
		err = save_iptables(dump, ns, entry);
	return err ? err : save_tracked(dump, ns, netlink);
}
