// SPDX-License-Identifier: GPL-2.0-only
/* The control groups of a client of the service. */
#include "service/cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "run/cg_hierarchy.h"
#include "run/options.h"
#include "service/client.h"
#include "util/arena.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

static int read_groups(const char *pid, struct arena *arena, struct cg_hierarchies *ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[32];
	int err;

	snprintf(path, sizeof(path), "%s/cgroup", pid);
	err = read_file(proc_root(), path, &text);
	return err ? err : cg_hierarchies_parse(text.data ? text.data : "", text.len, arena, ret);
}

static int enter(struct cg_hierarchies *ours, struct cg_hierarchy *h, const char *path)
{
	const struct options none = { .cgroup_mode = CGROUP_MODE_DEFAULT };
	_cleanup_close_ int dir = -1;
	int err = cg_hierarchy_find_open(ours, h, &none);

	if (err)
		return err;
	dir = open_at(h->root, cg_below_root(path), O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? dir : write_text(dir, "cgroup.procs", "0");
}

/* Outside of our cgroup namespace there is no path. */
static bool can_be_named(const char *path)
{
	return !str_has_prefix(path, "/..");
}

static int enter_all(const struct client *client, struct cg_hierarchies *ours, const struct cg_hierarchies *theirs)
{
	int err = 0;

	for (size_t i = 0; i < theirs->n; i++) {
		const struct cg_hierarchy *its = &theirs->v[i];
		struct cg_hierarchy *h = cg_hierarchy_find(ours, its->name);
		int failed;

		if (!h || str_eq(h->path, its->path))
			continue;
		failed = can_be_named(its->path) ? enter(ours, h, its->path) : -EXDEV;
		if (!failed)
			log_info("client %d: in its group of %s, %s", client->pid, cg_hierarchy_title(h), its->path);
		err = err ? err : failed;
	}
	return err;
}

void client_enter_cgroups(const struct client *client)
{
	struct cg_hierarchies ours = { 0 }, theirs = { 0 };
	struct arena arena;
	char pid[16];
	int err;

	arena_init(&arena);
	snprintf(pid, sizeof(pid), "%d", client->pid);
	err = read_groups("self", &arena, &ours);
	if (!err)
		err = read_groups(pid, &arena, &theirs);
	/* It was the client if that still exists. */
	if (!err && client_has_ended(client))
		err = -ESRCH;
	if (!err)
		err = enter_all(client, &ours, &theirs);
	if (err)
		log_warn(
			"client %d: its control groups cannot be entered: %s; what it restores is in those of the service",
			client->pid, strerror(-err));
	cg_hierarchies_close(&ours);
	arena_free(&arena);
}
