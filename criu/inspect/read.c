// SPDX-License-Identifier: GPL-2.0-only
/* Reading a directory: all parts, and what concerns the dump as a whole. */
#include "inspect/read.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "inspect/files.h"
#include "inspect/memory.h"
#include "inspect/records.h"
#include "inspect/tasks.h"
#include "task/ns_ids.h"
#include "utsns.pb-c.h"

static void look_at_file(struct contents *c)
{
	struct image_extent extent;
	struct stat st;

	if (image_store_open(c->dir, IMAGE_INVENTORY, 0, &extent))
		return;
	if (extent.fd < 0)
		return;
	if (!fstat(extent.fd, &st))
		c->written = st.st_mtime;
	close(extent.fd);
}

static int read_inventory(struct contents *c)
{
	const StatsEntry *stats = NULL;
	int err;

	if (!image_store_is_dump(c->dir))
		err = contents_problem(c, "there is no inventory.img: the directory contains no (complete) dump");
	else
		err = contents_record(c, IMAGE_INVENTORY, 0, MUST_EXIST, &c->inventory);
	if (!err)
		err = contents_record(c, IMAGE_STATS_DUMP, 0, MAY_BE_MISSING, &stats);
	if (c->inventory)
		look_at_file(c);
	c->stats = stats ? stats->dump : NULL;
	return err;
}

static int read_namespaces(struct contents *c)
{
	const TaskKobjIdsEntry *dumper = c->inventory ? c->inventory->root_ids : NULL;
	const TaskKobjIdsEntry *ids = c->nr_tasks ? c->tasks[0].ids : NULL;
	struct shown_namespaces *ns = &c->namespaces;
	const UtsnsEntry *uts = NULL;
	struct shown_records mounts = { 0 };
	int err = 0;

	if (!dumper || !ids)
		return 0;
	for (enum ns_type type = 0; type < NS_TYPES; type++)
		ns->own[type] = ns_ids_get(ids, type) && ns_ids_get(ids, type) != ns_ids_get(dumper, type);
	if (ns->own[NS_UTS])
		err = contents_record(c, IMAGE_UTSNS, ns_ids_get(ids, NS_UTS), MAY_BE_MISSING, &uts);
	if (!err && ns->own[NS_MNT])
		err = contents_records(c, IMAGE_MNTS, ns_ids_get(ids, NS_MNT), MAY_BE_MISSING, &mounts);
	ns->hostname = uts ? uts->nodename : NULL;
	ns->mounts = mounts.n;
	return err;
}

int contents_read(struct image_store *dir, struct contents *ret)
{
	int err;

	*ret = (struct contents){ .dir = dir };
	arena_init(&ret->arena);
	err = read_inventory(ret);
	if (!err)
		err = contents_read_files(ret);
	if (!err)
		err = contents_read_tasks(ret);
	if (!err)
		err = contents_read_fds(ret);
	if (!err)
		err = contents_read_memory(ret);
	return err ? err : read_namespaces(ret);
}
