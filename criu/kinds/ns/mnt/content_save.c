// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmpfs-dev-D.tar.gz.img, D being the device number, and beside it tmpfs-extra-D.img. Reading takes place in the user
 * namespace of the mount namespace, so that ids, ACLs and file capabilities are those that are seen inside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/fs_archive.h"
#include "base/cleanup.h"
#include "kernel/id_map.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"
#include "tmpfs-extra.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

struct saving {
	struct dump *dump;
	const struct mount *mount;
	int dir;
	struct image_writer *archive, *extras; /* the second only if there are any */
	struct fs_archive_output out;
};

/* ---- the images ---- */

static int write_bytes(void *arg, const void *bytes, size_t len)
{
	const struct saving *s = arg;
	int err = image_write_raw(s->archive, bytes, len);

	return err ? fail(err, "%s", image_store_error(s->dump->dir)) : 0;
}

static ProtobufCBinaryData bytes_of(const void *bytes, size_t len)
{
	return (ProtobufCBinaryData){ .data = (uint8_t *)bytes, .len = len };
}

static void fill_record(const struct fs_archive_extra *extra, TmpfsExtraEntry *ret)
{
	ret->path = bytes_of(extra->path, strlen(extra->path));
	if (extra->link) {
		ret->has_link = true;
		ret->link = bytes_of(extra->link, strlen(extra->link));
	}
	if (!extra->mode)
		return;
	ret->has_mode = ret->has_uid = ret->has_gid = true;
	ret->has_atime = ret->has_atime_nsec = ret->has_mtime = ret->has_mtime_nsec = true;
	ret->mode = extra->mode;
	ret->uid = extra->uid;
	ret->gid = extra->gid;
	ret->atime = extra->atime.tv_sec;
	ret->atime_nsec = (uint32_t)extra->atime.tv_nsec;
	ret->mtime = extra->mtime.tv_sec;
	ret->mtime_nsec = (uint32_t)extra->mtime.tv_nsec;
}

static int write_record(const struct saving *s, TmpfsExtraEntry *entry, const struct fs_archive_extra *extra)
{
	_cleanup_free_ TmpfsExtraXattr *xattrs = calloc(extra->nr_xattrs + 1, sizeof(*xattrs));
	_cleanup_free_ TmpfsExtraXattr **list = calloc(extra->nr_xattrs + 1, sizeof(*list));
	int err;

	if (!xattrs || !list)
		return fail(-ENOMEM, "extended attributes of %s", extra->path);
	for (size_t i = 0; i < extra->nr_xattrs; i++) {
		const struct fs_xattr *from = &extra->xattrs[i];

		tmpfs_extra_xattr__init(&xattrs[i]);
		xattrs[i].name = bytes_of(from->name, strlen(from->name));
		xattrs[i].value = bytes_of(from->value, from->len);
		list[i] = &xattrs[i];
	}
	entry->n_xattrs = extra->nr_xattrs;
	entry->xattrs = list;
	err = image_write_record(s->extras, &entry->base);
	return err ? fail(err, "%s", image_store_error(s->dump->dir)) : 0;
}

static int write_extra(void *arg, const struct fs_archive_extra *extra)
{
	struct saving *s = arg;
	TmpfsExtraEntry entry = TMPFS_EXTRA_ENTRY__INIT;
	int err = 0;

	if (!s->extras)
		err = image_create(s->dump->dir, IMAGE_TMPFS_EXTRA, s->mount->fs->dev, &s->extras);
	if (err)
		return fail(err, "%s", image_store_error(s->dump->dir));
	fill_record(extra, &entry);
	return write_record(s, &entry, extra);
}

/* ---- the user namespace ---- */

static bool has_inner(const struct id_map *map, uint32_t id)
{
	const struct id_range *range;

	array_for_each(range, &map->ranges)
		if (id >= range->inner && id - range->inner < range->count)
			return true;
	return false;
}

/* If the number that the kernel shows for an id without a mapping has a mapping itself, one cannot tell. */
static int find_unmapped(const struct proc *inside, const char *map_name, uint32_t *ret)
{
	struct id_map map = { 0 };
	int err = id_map_read(inside, map_name, &map);

	if (err)
		return fail(err, "read %s", map_name);
	*ret = has_inner(&map, ID_MAP_OVERFLOW) ? FS_ARCHIVE_ALL_MAPPED : ID_MAP_OVERFLOW;
	id_map_free(&map);
	return 0;
}

/* ---- */

static int write_archive(void *arg)
{
	const struct saving *s = arg;

	return fs_archive_save(s->dir, &s->out);
}

static int write_in_user_ns(struct saving *s, const struct ns *ns)
{
	_cleanup_close_ int user = -1;
	int err = mount_ns_owner(s->dump, ns, &user), result = 0;

	if (err || user < 0)
		return err ? err : write_archive(s);
	err = find_unmapped(&dump_task_of(ns->member)->proc, "uid_map", &s->out.unmapped_uid);
	if (!err)
		err = find_unmapped(&dump_task_of(ns->member)->proc, "gid_map", &s->out.unmapped_gid);
	if (err)
		return err;
	err = ns_run_in(&user, 1, write_archive, s, &result);
	return err ? fail(err, "enter the user namespace of the mount namespace") : result;
}

static int close_images(struct saving *s, int err)
{
	struct image_store *store = s->dump->dir;
	int closed;

	if (err) {
		image_discard(s->archive);
		image_discard(s->extras);
		return err;
	}
	closed = image_close(s->archive);
	if (s->extras)
		closed = image_close(s->extras) ?: closed;
	return closed ? fail(closed, "%s", image_store_error(store)) : 0;
}

int content_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct saving s = { .dump = dump,
			    .mount = mount,
			    .dir = dir_fd,
			    .out = { .write = write_bytes,
				     .extra = write_extra,
				     .arg = &s,
				     .unmapped_uid = FS_ARCHIVE_ALL_MAPPED,
				     .unmapped_gid = FS_ARCHIVE_ALL_MAPPED } };
	int err = image_create(dump->dir, IMAGE_TMPFS_DEV, mount->fs->dev, &s.archive);

	LOG_SCOPE("mount %s", mount->entry->mountpoint);
	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	return close_images(&s, write_in_user_ns(&s, ns));
}
