// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include "kinds/ns/mnt/mount.h"
#include "util/arena.h"
#include "util/log.h"

static bool is_whole(const struct mount *mount)
{
	return !strcmp(mount->entry->root, "/");
}

/* Does an origin have all of it, or is one the root of a namespace? */
static bool has_wide_origin(const struct mount_fs *fs)
{
	for (const struct mount_origin *o = fs->origins; o; o = o->next)
		if (!strcmp(o->root, "/") || !o->mount || !o->mount->entry->ext_key)
			return true;
	return false;
}

static bool has_own_whole(const struct mount_fs *fs, const struct ns_set *all)
{
	struct mount *mount;

	mounts_for_each_of_all(mount,
			       all) if (mount->fs == fs && !mount_is_external(mount) && is_whole(mount)) return true;
	return false;
}

static int set_apart(struct mount_run *run, struct arena *arena, struct mount_origin *origin)
{
	struct mount_fs *fs = arena_alloc(arena, sizeof(*fs));

	if (!fs)
		return fail(-ENOMEM, "mounts");
	*fs = (struct mount_fs){ .next = run->fs, .dev = MOUNT_DEV_APART, .origins = origin };
	run->fs = fs;
	origin->next = NULL;
	origin->mount->fs = fs;
	return 0;
}

int mounts_set_apart(struct mount_run *run, struct arena *arena, const struct ns_set *all)
{
	for (struct mount_fs *fs = run->fs; fs; fs = fs->next) {
		struct mount_origin *next;
		int err = 0;

		if (!fs->origins || has_wide_origin(fs) || !has_own_whole(fs, all))
			continue;
		for (struct mount_origin *o = fs->origins; o && !err; o = next) {
			next = o->next;
			err = set_apart(run, arena, o);
		}
		if (err)
			return err;
		fs->origins = NULL;
	}
	return 0;
}
