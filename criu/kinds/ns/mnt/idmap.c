// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/idmap.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/ns_user.h"
#include "kernel/statmount.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/restore.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* The kernel's limit: UID_GID_MAP_MAX_EXTENTS */
#define MAX_EXTENTS 340

/* ---- dump ---- */

bool mount_is_idmapped(const struct mount_info *info)
{
	for (const char *word = info->options; *word;) {
		size_t len = strcspn(word, ",");

		if (len == strlen("idmapped") && !memcmp(word, "idmapped", len))
			return true;
		word += len + (word[len] == ',');
	}
	return false;
}

UidGidExtent **mnt_save_id_map(struct dump *dump, const struct id_map *map)
{
	UidGidExtent **ret = dump_alloc(dump, (map->ranges.n + 1) * sizeof(*ret));

	for (size_t i = 0; ret && i < map->ranges.n; i++) {
		const struct id_range *range = &map->ranges.v[i];

		ret[i] = dump_alloc(dump, sizeof(**ret));
		if (!ret[i])
			return NULL;
		uid_gid_extent__init(ret[i]);
		ret[i]->first = range->inner;
		ret[i]->lower_first = range->outer;
		ret[i]->count = range->count;
	}
	return ret;
}

static int save_maps(struct dump *dump, const struct mount *mount)
{
	struct id_map uids = { 0 }, gids = { 0 };
	MntEntry *entry = mount->entry;
	int err = statmount_id_maps((int)entry->mnt_id, &uids, &gids);

	if (err == -EOPNOTSUPP) {
		mount_blocker(
			dump,
			"mount %s is idmapped, and this kernel does not show how (statmount with STATMOUNT_MNT_UIDMAP, Linux 6.15): make it external (--external 'mnt[%s]:KEY'), or leave it out (--skip-mnt %s)",
			MOUNT_NAME(mount), MOUNT_NAME(mount), MOUNT_NAME(mount));
		return 0;
	}
	if (err)
		return fail(err, "mount %s: read its id maps", MOUNT_NAME(mount));
	entry->uid_map = mnt_save_id_map(dump, &uids);
	entry->gid_map = mnt_save_id_map(dump, &gids);
	entry->n_uid_map = uids.ranges.n;
	entry->n_gid_map = gids.ranges.n;
	id_map_free(&uids);
	id_map_free(&gids);
	return entry->uid_map && entry->gid_map ? 0 : fail(-ENOMEM, "mounts");
}

int mounts_save_idmaps(struct dump *dump, struct mounts *m)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, m)
		if (!err && mount_is_idmapped(mount->info) && !mount_is_external(mount))
			err = save_maps(dump, mount);
	return err;
}

/* ---- restore ---- */

static bool has_idmap(const struct mount *mount)
{
	return (mount->entry->n_uid_map || mount->entry->n_gid_map) && !mount_is_external(mount);
}

int mount_check_idmap(const struct mount *mount)
{
	const MntEntry *e = mount->entry;
	const struct mnt_idmap maps = { e->uid_map, e->gid_map, e->n_uid_map, e->n_gid_map };

	if (mnt_check_idmap(&maps))
		return 0;
	return fail(-EBADMSG, "mount %s: its id maps have %zu and %zu lines", MOUNT_NAME(mount), e->n_uid_map,
		    e->n_gid_map);
}

static int write_map(pid_t pid, const char *name, UidGidExtent **v, size_t n)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = open_fmt(proc_root(), O_WRONLY | O_CLOEXEC, "%d/%s", pid, name);
	int err = fd < 0 ? fd : 0;

	for (size_t i = 0; !err && i < n; i++)
		err = buf_printf(&text, "%u %u %u\n", v[i]->first, v[i]->lower_first, v[i]->count);
	if (!err && n)
		err = write(fd, text.data, text.len) < 0 ? -errno : 0;
	return err;
}

struct maker {
	struct restore *r;
	const struct mnt_idmap *maps;
	int fd; /* the user namespace */
};

static int fill_maps(pid_t pid, void *arg)
{
	struct maker *maker = arg;
	const struct mnt_idmap *maps = maker->maps;
	int err = write_map(pid, "uid_map", maps->uids, maps->nr_uids), fd, high;

	if (!err)
		err = write_map(pid, "gid_map", maps->gids, maps->nr_gids);
	if (err)
		return err;
	fd = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "%d/ns/user", pid);
	high = fd < 0 ? fd : move_fd_above(fd, maker->r->service_base);
	if (high < 0 && fd >= 0)
		close(fd);
	maker->fd = high;
	return high < 0 ? high : 0;
}

bool mnt_check_idmap(const struct mnt_idmap *maps)
{
	return maps->nr_uids <= MAX_EXTENTS && maps->nr_gids <= MAX_EXTENTS;
}

int mnt_make_idmap(struct restore *r, const struct mnt_idmap *maps)
{
	struct maker maker = { r, maps, -1 };
	int result = 0, err = ns_user_make(geteuid(), false, fill_maps, &maker, &result);

	return err ?: result ?: maker.fd;
}

static bool same_map(UidGidExtent **a, size_t n, UidGidExtent **b, size_t m)
{
	for (size_t i = 0; n == m && i < n; i++)
		if (a[i]->first != b[i]->first || a[i]->lower_first != b[i]->lower_first || a[i]->count != b[i]->count)
			return false;
	return n == m;
}

static bool same_maps(const MntEntry *a, const MntEntry *b)
{
	return same_map(a->uid_map, a->n_uid_map, b->uid_map, b->n_uid_map) &&
	       same_map(a->gid_map, a->n_gid_map, b->gid_map, b->n_gid_map);
}

/* The namespace of an earlier one with the same maps; NULL: there is none. */
static const struct mount *find_same(const struct restore *r, const struct mount *mount)
{
	struct mount *other;

	mounts_for_each_of_all(other, &r->plan.namespaces)
	{
		if (other == mount)
			break;
		if (other->idmap >= 0 && same_maps(other->entry, mount->entry))
			return other;
	}
	return NULL;
}

static int make_idmap(struct restore *r, struct mount *mount)
{
	const struct mount *same = find_same(r, mount);
	const MntEntry *e = mount->entry;
	const struct mnt_idmap maps = { e->uid_map, e->gid_map, e->n_uid_map, e->n_gid_map };

	if (same) {
		mount->idmap = dup_fd_above(same->idmap, r->service_base);
		return mount->idmap < 0 ? fail(mount->idmap, "keep a user namespace open") : 0;
	}
	mount->idmap = mnt_make_idmap(r, &maps);
	return mount->idmap < 0 ?
		       fail(mount->idmap, "mount %s: create a user namespace with its id maps", MOUNT_NAME(mount)) :
		       0;
}

int mounts_make_idmaps(struct restore *r)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, &r->plan.namespaces) if (!err && has_idmap(mount)) err = make_idmap(r, mount);
	return err;
}

int mount_set_idmap(const struct mount *mount)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)mount->idmap };

	if (mount->idmap < 0)
		return 0;
	return mount_setattr(mount->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ?
		       fail(-errno, "mount %s: set its id maps", MOUNT_NAME(mount)) :
		       0;
}
