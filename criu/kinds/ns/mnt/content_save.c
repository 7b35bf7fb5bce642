// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmpfs-dev-D.tar.gz.img, D being the device number. What tar cannot store is added to the record of the mount. Reading takes place in the user
 * namespace of the mount namespace, so that ids, ACLs and file capabilities are those that are seen inside.
 */
#include <errno.h>
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
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"

ARRAY_OF(extras, MntExtra *);

struct saving {
	struct dump *dump;
	const struct mount *mount;
	int fd;
	bool is_file; /* only that file is saved */
	struct image_writer *archive;
	struct extras extras;
	struct fs_archive_output out;
};

/* ---- the images ---- */

static int write_bytes(void *arg, const void *bytes, size_t len)
{
	const struct saving *s = arg;
	int err = image_write_raw(s->archive, bytes, len);

	return err ? fail(err, "%s", image_store_error(s->dump->dir)) : 0;
}

static bool copy_bytes(struct dump *dump, const void *bytes, size_t len, ProtobufCBinaryData *ret)
{
	ret->data = dump_alloc(dump, len + 1);
	ret->len = len;
	if (ret->data && len)
		memcpy(ret->data, bytes, len);
	return ret->data;
}

static void fill_attributes(const struct fs_archive_extra *extra, MntExtra *ret)
{
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

static bool fill_xattrs(struct dump *dump, const struct fs_archive_extra *extra, MntExtra *ret)
{
	ret->xattrs = dump_alloc(dump, (extra->nr_xattrs + 1) * sizeof(*ret->xattrs));
	for (size_t i = 0; ret->xattrs && i < extra->nr_xattrs; i++) {
		const struct fs_xattr *from = &extra->xattrs[i];
		MntExtraXattr *to = dump_alloc(dump, sizeof(*to));

		if (!to)
			return false;
		mnt_extra_xattr__init(to);
		if (!copy_bytes(dump, from->name, strlen(from->name), &to->name) ||
		    !copy_bytes(dump, from->value, from->len, &to->value))
			return false;
		ret->xattrs[ret->n_xattrs++] = to;
	}
	return ret->xattrs;
}

static int keep_extra(void *arg, const struct fs_archive_extra *extra)
{
	struct saving *s = arg;
	MntExtra *to = dump_alloc(s->dump, sizeof(*to));

	if (!to)
		return fail(-ENOMEM, "%s", extra->path);
	mnt_extra__init(to);
	fill_attributes(extra, to);
	to->has_link = extra->link != NULL;
	if (!copy_bytes(s->dump, extra->path, strlen(extra->path), &to->path) ||
	    (extra->link && !copy_bytes(s->dump, extra->link, strlen(extra->link), &to->link)) ||
	    !fill_xattrs(s->dump, extra, to) || array_add(&s->extras, to))
		return fail(-ENOMEM, "%s", extra->path);
	return 0;
}

static int add_to_record(struct saving *s)
{
	MntEntry *entry = s->mount->entry;

	if (!s->extras.n)
		return 0;
	entry->extras = dump_alloc(s->dump, s->extras.n * sizeof(*entry->extras));
	if (!entry->extras)
		return fail(-ENOMEM, "what the archive cannot store");
	memcpy(entry->extras, s->extras.v, s->extras.n * sizeof(*entry->extras));
	entry->n_extras = s->extras.n;
	return 0;
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
static uint32_t unmapped_number(const struct id_map *map)
{
	return !map || has_inner(map, ID_MAP_OVERFLOW) ? FS_ARCHIVE_ALL_MAPPED : ID_MAP_OVERFLOW;
}

/* ---- */

static int write_archive(void *arg)
{
	const struct saving *s = arg;

	return s->is_file ? fs_archive_save_file(s->fd, &s->out) : fs_archive_save(s->fd, &s->out);
}

/* Of a check, its process may have exited. */
static int open_user_ns(struct dump *dump, const struct ns *user)
{
	const struct dump_task *member = dump_task_of(user->member);
	int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/user");

	return fd < 0 ? fail(fd, "open the user namespace of process %d", member->t.host_pid) : fd;
}

static int write_in_user_ns(struct saving *s, const struct ns *ns)
{
	const struct ns *user = dump_creator_of(s->dump, ns);
	int err, result = 0;

	if (!user)
		return write_archive(s);
	_cleanup_close_ int fd = open_user_ns(s->dump, user);
	if (fd < 0)
		return fd;
	s->out.unmapped_uid = unmapped_number(user->uids);
	s->out.unmapped_gid = unmapped_number(user->gids);
	err = ns_run_in(&fd, 1, write_archive, s, &result);
	return err ? fail(err, "enter the user namespace of the mount namespace") : result;
}

static int close_archive(struct saving *s, int err)
{
	int closed;

	if (err) {
		image_discard(s->archive);
		return err;
	}
	closed = image_close(s->archive);
	return closed ? fail(closed, "%s", image_store_error(s->dump->dir)) : 0;
}

static int save_as(struct saving *s, const struct ns *ns, enum image_type type, uint64_t id)
{
	int err = image_create(s->dump->dir, type, id, &s->archive);

	LOG_SCOPE("mount %s", s->mount->entry->mountpoint);
	s->out = (struct fs_archive_output){ .write = write_bytes,
					     .extra = keep_extra,
					     .arg = s,
					     .unmapped_uid = FS_ARCHIVE_ALL_MAPPED,
					     .unmapped_gid = FS_ARCHIVE_ALL_MAPPED };
	if (err)
		return fail(err, "%s", image_store_error(s->dump->dir));
	err = close_archive(s, write_in_user_ns(s, ns));
	if (!err)
		err = add_to_record(s);
	array_free(&s->extras);
	return err;
}

int content_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct saving s = { .dump = dump, .mount = mount, .fd = dir_fd };

	return save_as(&s, ns, IMAGE_TMPFS_DEV, mount->fs->dev);
}

int content_save_removed(struct dump *dump, const struct ns *ns, struct mount *mount, int fd)
{
	struct saving s = { .dump = dump, .mount = mount, .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, "mount %s: stat", mount->entry->mountpoint);
	s.is_file = !S_ISDIR(st.st_mode);
	return save_as(&s, ns, IMAGE_MNT_REMOVED, mount->entry->mnt_id);
}
