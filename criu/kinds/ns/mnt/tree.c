// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kinds/ns/mnt/mount.h"
#include "task/ns.h"
#include "util/arena.h"
#include "util/str.h"

struct mount_fs *mount_fs_get(struct mount_run *run, struct arena *arena, uint32_t dev)
{
	struct mount_fs **at = &run->fs;

	while (*at && (*at)->dev != dev)
		at = &(*at)->next;
	if (!*at)
		*at = arena_alloc(arena, sizeof(**at));
	if (*at)
		(*at)->dev = dev;
	return *at;
}

struct mount_origin *mount_origin_add(struct mount_fs *fs, struct arena *arena, const char *root, struct mount *mount)
{
	struct mount_origin *origin = arena_alloc(arena, sizeof(*origin));

	if (!origin)
		return NULL;
	*origin = (struct mount_origin){
		.next = fs->origins, .root = root, .mount = mount, .fd = -1, .peer = -1, .undo = -1
	};
	fs->origins = origin;
	return origin;
}

const char *mount_below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (!strcmp(dir, "/"))
		return *path == '/' ? path + 1 : NULL;
	if (strncmp(dir, path, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len + 1 : path + len;
}

struct mount_origin *mount_origin_of(const struct mount_fs *fs, const char *root)
{
	struct mount_origin *best = NULL;

	for (struct mount_origin *o = fs->origins; o; o = o->next)
		if (mount_below(o->root, root) && (!best || strlen(o->root) >= strlen(best->root)))
			best = o;
	return best;
}

bool mount_is_external(const struct mount *mount)
{
	return (mount == mount->of->root && !mount->of->nested) || mount->entry->ext_key;
}

bool mount_is_of_device(const struct mount *mount)
{
	return mount->entry->ext_key && !strcmp(mount->entry->ext_key, MOUNT_DEV_KEY);
}

bool mount_is_removed(const struct mount *mount)
{
	return mount->entry->deleted && !mount_is_external(mount);
}

/* Two for itself, and the directories that it was in. */
unsigned mount_removed_inodes(const struct mount *mount)
{
	unsigned n = 2;

	for (const char *p = mount->entry->root; *p; p++)
		n += *p == '/';
	return n;
}

struct mount_origin *mount_origin_for(const struct mount *mount)
{
	bool of_device = mount_is_of_device(mount);

	if (!mount_is_external(mount))
		return mount_origin_of(mount->fs, mount->entry->root);
	for (struct mount_origin *o = mount->fs->origins; o; o = o->next)
		if (of_device ? o->mount && mount_is_of_device(o->mount) : o->mount == mount)
			return o;
	return NULL;
}

bool mount_follows_origin(const struct mount *mount)
{
	const struct mount_origin *origin = mount_is_external(mount) ? NULL : mount_origin_for(mount);

	return origin && origin->mount && origin->mount->entry->master_id == mount->entry->master_id &&
	       !origin->mount->outer_peer && !mount_is_of_device(origin->mount);
}

/* ---- the tree ---- */

static int compare_ids(const void *a, const void *b)
{
	const struct mount *const *x = a, *const *y = b;

	return (*x)->entry->mnt_id < (*y)->entry->mnt_id ? -1 : (*x)->entry->mnt_id > (*y)->entry->mnt_id;
}

static struct mount *find(struct mount **by_id, size_t n, uint32_t id)
{
	MntEntry entry = { .mnt_id = id };
	struct mount key = { .entry = &entry }, *at = &key, **found;

	found = bsearch(&at, by_id, n, sizeof(*by_id), compare_ids);
	return found ? *found : NULL;
}

/* Before the first that is not deeper. */
static void add_child(struct mount *parent, struct mount *child)
{
	struct mount **at = &parent->children;

	while (*at && strlen((*at)->entry->mountpoint) >= strlen(child->entry->mountpoint))
		at = &(*at)->sibling;
	child->sibling = *at;
	*at = child;
	child->parent = parent;
}

static int place(struct mounts *m, struct mount **by_id, struct mount *mount)
{
	struct mount *parent = find(by_id, m->n, mount->entry->parent_mnt_id);

	/* Some root file systems are their own parent. */
	if (!parent || parent == mount) {
		if (m->root || strcmp(mount->entry->mountpoint, "/"))
			return -EBADMSG;
		m->root = mount;
		return 0;
	}
	if (mount->entry->mountpoint[0] != '/' || !mount_below(parent->entry->mountpoint, mount->entry->mountpoint))
		return -EBADMSG;
	add_child(parent, mount);
	return 0;
}

int mounts_link(struct mounts *m, struct mount **ret_bad)
{
	struct mount **by_id = calloc(m->n + 1, sizeof(*by_id)), *mount;
	size_t reached = 0;
	int err = by_id ? 0 : -ENOMEM;

	*ret_bad = NULL;
	for (size_t i = 0; !err && i < m->n; i++)
		by_id[i] = &m->v[i];
	if (!err)
		qsort(by_id, m->n, sizeof(*by_id), compare_ids);
	for (size_t i = 1; !err && i < m->n; i++)
		if (by_id[i]->entry->mnt_id == by_id[i - 1]->entry->mnt_id) {
			*ret_bad = by_id[i];
			err = -EBADMSG;
		}
	for (size_t i = m->n; !err && i > 0; i--) {
		err = place(m, by_id, &m->v[i - 1]);
		if (err)
			*ret_bad = &m->v[i - 1];
	}
	free(by_id);
	mounts_for_each(mount, m)
		reached += !err;
	/* Some are in a cycle. */
	return !err && reached != m->n ? -EBADMSG : err;
}

struct mount *mounts_next(const struct mounts *m, struct mount *after)
{
	if (after->children)
		return after->children;
	while (after && !after->sibling)
		after = after->parent;
	return after ? after->sibling : NULL;
}

struct mount *mounts_next_of_all(const struct ns_set *namespaces, struct mount *after)
{
	struct mount *next = after ? mounts_next(after->of, after) : NULL;
	const struct ns *ns = after ? after->of->ns->next : namespaces->first;

	for (; !next && ns; ns = ns->next)
		if (ns->type == NS_MNT && ns->data)
			next = ((const struct mounts *)ns->data)->root;
	return next;
}

bool mounts_have_group(const struct ns_set *namespaces, uint32_t group)
{
	struct mount *mount;

	mounts_for_each_of_all(mount, namespaces) if (mount->entry->shared_id == group) return true;
	return false;
}
