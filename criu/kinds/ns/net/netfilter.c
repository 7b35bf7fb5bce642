// SPDX-License-Identifier: GPL-2.0-only
/* Packet filters and connection tracking of a network namespace: not implemented, so there must not be any. */
#include <errno.h>
#include <string.h>
#include "image/reader.h"
#include "image/writer.h"
#include "internal.h"
#include "netfilter/nft_lock.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static int write_empty(struct dump *dump, const struct ns *ns, enum image_type type)
{
	struct image_writer *img;
	int err = image_create(dump->dir, type, ns->id, &img);

	if (!err)
		err = image_close(img);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static void refuse(struct dump *dump, const struct ns *ns, const char *what, const char *name, const char *todo)
{
	dump_blocker(dump, ns->member ? dump_task_of(ns->member) : NULL, -1,
		     "network namespace %u: %s%s: saving them is not implemented; %s", ns->id, what, name, todo);
}

/* ip_tables_names: the tables of iptables-legacy that are in use. */
static int check_legacy(struct dump *dump, const struct ns *ns, const char *file)
{
	_cleanup_buf_ struct buf names = { 0 };
	char path[64];
	int err = str_format(path, sizeof(path), "self/net/%s", file);

	if (!err)
		err = read_file(proc_root(), path, &names);
	if (err == -ENOENT || (err >= 0 && !names.len))
		return 0;
	if (err < 0)
		return fail(err, "read /proc/self/net/%s", file);
	names.data[strcspn(names.data, "\n")] = '\0';
	refuse(dump, ns, "it has rules of iptables-legacy, table ", names.data, "delete them (iptables-legacy -F)");
	return 0;
}

struct tables {
	struct dump *dump;
	const struct ns *ns;
};

static int check_table(const char *name, void *arg)
{
	const struct tables *t = arg;

	refuse(t->dump, t->ns, "it has rules of nftables, table ", name, "delete them (nft flush ruleset)");
	return 0;
}

int netfilter_save(struct dump *dump, const struct ns *ns)
{
	struct tables tables = { dump, ns };
	int err = check_legacy(dump, ns, "ip_tables_names");

	if (!err)
		err = check_legacy(dump, ns, "ip6_tables_names");
	if (!err)
		err = nft_each_other_table(check_table, &tables);
	if (err == -EPROTONOSUPPORT || err == -EOPNOTSUPP)
		err = 0; /* this kernel has none */
	if (!err)
		err = write_empty(dump, ns, IMAGE_IPTABLES);
	if (!err)
		err = write_empty(dump, ns, IMAGE_IP6TABLES);
	return err ? err : write_empty(dump, ns, IMAGE_NFTABLES);
}

static int check_empty(struct restore *r, const struct ns *ns, enum image_type type)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	int err = image_open(r->dir, type, ns->id, &img);

	if (err == -ENOENT)
		return 0;
	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	if (image_left(img))
		return fail(
			-EOPNOTSUPP,
			"the images of network namespace %u contain rules of a packet filter: restoring them is not implemented",
			ns->id);
	return 0;
}

int netfilter_load(struct restore *r, const struct ns *ns)
{
	int err = check_empty(r, ns, IMAGE_IPTABLES);

	if (!err)
		err = check_empty(r, ns, IMAGE_IP6TABLES);
	if (!err)
		err = check_empty(r, ns, IMAGE_NFTABLES);
	return err ? err : check_empty(r, ns, IMAGE_NETNF_CT);
}

int netfilter_fill(struct restore *r, const struct ns *ns)
{
	return 0;
}
