// SPDX-License-Identifier: GPL-2.0-only
/*
 * Propagation: peer groups, and which group receives from which. All mounts are attached and private, but for those that stay in a
 * group of the host. A mount can only take over the group of one that shows all that it shows: if no member does so for all
 * others, a copy of the whole file system, attached nowhere, leads the group meanwhile. move_mount(2)
 * MOVE_MOUNT_SET_GROUP, mount_namespaces(7)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/restore.h"
#include "util/array.h"
#include "util/log.h"

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100
#endif

struct group {
	uint32_t id, master; /* 0: none */
	const struct mount_fs *fs;
	const struct mount *leader; /* NULL: a copy of: */
	const struct mount *copied;
	const char *root; /* what the leader shows */
	int fd;
	bool set;
};
ARRAY_OF(group_array, struct group);

static struct group *find_group(const struct group_array *groups, uint32_t id)
{
	struct group *g;

	array_for_each(g, groups)
		if (id && g->id == id)
			return g;
	return NULL;
}

/* What has the group, or the master, from outside gives it to the others. */
static bool leads_better(const struct mount *mount, const struct group *g)
{
	if (mount->outer_peer != g->leader->outer_peer)
		return mount->outer_peer;
	if (mount->outer_group != g->leader->outer_group)
		return mount->outer_group;
	return strlen(mount->entry->root) < strlen(g->root);
}

static int list_groups(const struct ns_set *namespaces, struct group_array *groups)
{
	struct mount *mount;

	mounts_for_each_of_all(mount, namespaces)
	{
		const MntEntry *e = mount->entry;
		struct group *g = find_group(groups, e->shared_id);

		if (!e->shared_id)
			continue;
		if (!g) {
			g = array_push(groups);
			if (!g)
				return fail(-ENOMEM, "peer groups");
			*g = (struct group){ .id = e->shared_id,
					     .master = e->master_id,
					     .fs = mount->fs,
					     .leader = mount,
					     .root = e->root,
					     .fd = -1 };
		}
		if (g->fs != mount->fs || g->master != e->master_id)
			return fail(-EBADMSG,
				    "mount %s: other members of its peer group %u have another file system or master",
				    MOUNT_NAME(mount), e->shared_id);
		if (!leads_better(mount, g))
			continue;
		g->leader = mount;
		g->root = e->root;
	}
	return 0;
}

/* The narrowest mount that shows both. */
static const struct mount *common(const struct ns_set *namespaces, const struct mount_fs *fs, const char *a,
				  const char *b)
{
	const struct mount *best = NULL;
	struct mount *mount;

	mounts_for_each_of_all(mount, namespaces)
	{
		const char *root = mount->entry->root;

		if (mount->fs == fs && mount_below(root, a) && mount_below(root, b) &&
		    (!best || strlen(root) > strlen(best->entry->root)))
			best = mount;
	}
	return best;
}

/* 1: that was new. */
static int widen(const struct ns_set *namespaces, struct group *g, const struct mount_fs *fs, const char *root)
{
	if (!g || g->fs != fs || mount_below(g->root, root))
		return 0;
	/* A copy would not have it from outside. */
	g->copied = g->leader && g->leader->outer_group ? NULL : common(namespaces, fs, g->root, root);
	g->leader = NULL;
	if (!g->copied)
		return fail(
			-EOPNOTSUPP,
			"mounts of %s and %s of one file system are peers, or one is the master of the other, and no mount shows both: that is not supported",
			g->root, root);
	g->root = g->copied->entry->root;
	return 1;
}

static int widen_for_mount(const struct ns_set *namespaces, const struct group_array *groups, const struct mount *mount)
{
	const MntEntry *e = mount->entry;

	if (mount->outer_peer)
		return 0;
	int peer = widen(namespaces, find_group(groups, e->shared_id), mount->fs, e->root);
	int master = peer < 0 ? peer : widen(namespaces, find_group(groups, e->master_id), mount->fs, e->root);

	return master < 0 ? master : peer | master;
}

static int find_leaders(const struct ns_set *namespaces, struct group_array *groups)
{
	struct mount *mount;
	int again = 1, one;
	struct group *g;

	while (again) {
		again = 0;
		mounts_for_each_of_all(mount, namespaces)
		{
			one = widen_for_mount(namespaces, groups, mount);
			if (one < 0)
				return one;
			again |= one;
		}
		array_for_each(g, groups) {
			/* The host has both its group and the master of that. */
			if (g->leader && g->leader->outer_peer)
				continue;
			one = widen(namespaces, find_group(groups, g->master), g->fs, g->root);
			if (one < 0)
				return one;
			again |= one;
		}
	}
	return 0;
}

int mounts_check_groups(const struct ns_set *namespaces)
{
	struct group_array groups = { 0 };
	int err = list_groups(namespaces, &groups);

	if (!err)
		err = find_leaders(namespaces, &groups);
	array_free(&groups);
	return err;
}

/* ---- setting ---- */

/* Changes of a mount, other than its group, are made in its namespace. */
struct setting {
	struct mount_visit *visit;
	const struct ns_set *namespaces;
	struct group_array groups;
};

/* @mount: NULL: it is detached. */
static int set_propagation(struct setting *s, const struct mount *mount, int fd, uint64_t propagation)
{
	struct mount_attr attr = { .propagation = propagation };
	int err = mount ? mount_visit_ns(s->visit, mount->of->ns) : 0;

	if (err)
		return err;
	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int join(int from, int to)
{
	const unsigned flags = MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	return move_mount(from, "", to, "", flags) < 0 ? -errno : 0;
}

static int follow(struct setting *s, int master, const struct mount *mount, int fd)
{
	int err = join(master, fd);

	return err ? err : set_propagation(s, mount, fd, MS_SLAVE);
}

static int open_leader(struct setting *s, struct group *g)
{
	int err;

	if (g->leader) {
		g->fd = g->leader->fd;
		return 0;
	}
	err = mount_visit_ns(s->visit, g->copied->of->ns);
	if (err)
		return err;
	g->fd = open_tree(g->copied->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return g->fd < 0 ? -errno : set_propagation(s, NULL, g->fd, MS_PRIVATE);
}

/* Only a private one can take over a group: it may be a slave of the host by now. */
static int join_group(struct setting *s, const struct group *g, const struct mount *mount)
{
	int err = mount->outer_group ? set_propagation(s, mount, mount->fd, MS_PRIVATE) : 0;

	return err ? err : join(g->fd, mount->fd);
}

/* Peers of mounts of the host, on which everything is mounted by now: it would have been on those, too. */
static int join_host(const struct setting *s, const struct group *g)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, s->namespaces)
	{
		const struct mount_origin *origin = mount->outer_peer ? mount_origin_for(mount) : NULL;

		if (!err && origin && mount->entry->shared_id == g->id && mount->fd >= 0)
			err = join(origin->peer, mount->fd);
	}
	return err;
}

/* One whose master is ready. */
static int set_group(struct setting *s, struct group *g, const struct group *master)
{
	const bool outer = g->leader && g->leader->outer_group, outer_peer = outer && g->leader->outer_peer;
	int err = open_leader(s, g);
	struct mount *mount;

	if (!err && outer_peer)
		err = join_host(s, g);
	if (!err && master && !outer_peer)
		err = follow(s, master->fd, g->leader, g->fd);
	else if (!err && g->master && outer && !outer_peer)
		err = set_propagation(s, g->leader, g->fd, MS_SLAVE);
	if (!err && !outer_peer)
		err = set_propagation(s, g->leader, g->fd, MS_SHARED);
	mounts_for_each_of_all(mount, s->namespaces) if (!err && mount->entry->shared_id == g->id &&
							 mount != g->leader && !mount->outer_peer) err =
		join_group(s, g, mount);
	g->set = !err;
	return err ? fail(err, "peer group %u of mounts", g->id) : 0;
}

static int set_groups(struct setting *s)
{
	size_t left = s->groups.n, before;
	struct group *g;

	do {
		before = left;
		array_for_each(g, &s->groups) {
			const struct group *master = find_group(&s->groups, g->master);

			if (g->set || (master && !master->set))
				continue;
			int err = set_group(s, g, master);
			if (err)
				return err;
			left--;
		}
	} while (left && left != before);
	return left ? fail(-EBADMSG, "peer groups of mounts are masters of each other") : 0;
}

static int set_slave(struct setting *s, const struct mount *mount)
{
	const struct group *master = find_group(&s->groups, mount->entry->master_id);
	int err = master ? follow(s, master->fd, mount, mount->fd) : set_propagation(s, mount, mount->fd, MS_SLAVE);

	return err ? fail(err, "mount %s: make it a slave", MOUNT_NAME(mount)) : 0;
}

int mounts_set_groups(struct mount_visit *visit, const struct ns_set *namespaces)
{
	struct setting s = { .visit = visit, .namespaces = namespaces };
	struct mount *mount;
	struct group *g;
	int err = list_groups(namespaces, &s.groups);

	if (!err)
		err = find_leaders(namespaces, &s.groups);
	if (!err)
		err = set_groups(&s);
	mounts_for_each_of_all(mount, namespaces) if (!err && mount->entry->master_id && !mount->entry->shared_id) err =
		set_slave(&s, mount);
	array_for_each(g, &s.groups)
		if (!g->leader && g->fd >= 0)
			close(g->fd);
	array_free(&s.groups);
	return err;
}
