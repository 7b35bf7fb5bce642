// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/fs_archive.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/restore.h"
#include "util/log.h"
#include "util/str.h"

/* Which image it is. */
struct content_image {
	enum image_type type;
	uint64_t id;
};

/* ---- the extras ---- */

struct extras {
	const struct mount *of; /* its record has them; NULL: there are none */
	size_t next;
	struct buf path, link, names;
	struct fs_xattr *xattrs;
};

static void extras_free(struct extras *x)
{
	buf_free(&x->path);
	buf_free(&x->link);
	buf_free(&x->names);
	free(x->xattrs);
}
#define _cleanup_extras_ __attribute__((cleanup(extras_free)))

/* Appends it with its NUL. */
static int add_text(const ProtobufCBinaryData *from, struct buf *to)
{
	if (from->len && memchr(from->data, 0, from->len))
		return fail(-EBADMSG, "a name with a NUL");
	return buf_add(to, from->data ? (const char *)from->data : "", from->len) || buf_add(to, "", 1) ? -ENOMEM : 0;
}

static int copy_xattrs(struct extras *x, const MntExtra *e, struct fs_archive_extra *ret)
{
	size_t at = 0;
	int err = 0;

	buf_clear(&x->names);
	free(x->xattrs);
	x->xattrs = calloc(e->n_xattrs + 1, sizeof(*x->xattrs));
	if (!x->xattrs)
		return -ENOMEM;
	for (size_t i = 0; !err && i < e->n_xattrs; i++)
		err = add_text(&e->xattrs[i]->name, &x->names);
	for (size_t i = 0; !err && i < e->n_xattrs; i++) {
		const ProtobufCBinaryData *value = &e->xattrs[i]->value;

		x->xattrs[i] = (struct fs_xattr){ x->names.data + at, value->data, value->len };
		at += e->xattrs[i]->name.len + 1;
	}
	ret->xattrs = x->xattrs;
	ret->nr_xattrs = e->n_xattrs;
	return err;
}

static int next_extra(void *arg, struct fs_archive_extra *ret)
{
	struct extras *x = arg;
	const MntExtra *e;
	int err;

	if (!x->of || x->next == x->of->entry->n_extras)
		return 0;
	e = x->of->entry->extras[x->next++];
	buf_clear(&x->path);
	buf_clear(&x->link);
	err = add_text(&e->path, &x->path);
	if (!err && e->has_link)
		err = add_text(&e->link, &x->link);
	if (err)
		return err;
	*ret = (struct fs_archive_extra){
		.path = x->path.data,
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.atime = { e->atime, e->atime_nsec },
		.mtime = { e->mtime, e->mtime_nsec },
		.link = e->has_link ? x->link.data : NULL,
	};
	err = copy_xattrs(x, e, ret);
	return err ? err : 1;
}

/* Whichever mount was the first one of its file system for the dump. */
static const struct mount *find_extras(const struct ns *ns, const struct mount_fs *fs)
{
	const struct mounts *m = ns->data;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].fs == fs && m->v[i].entry->n_extras && !m->v[i].entry->deleted)
			return &m->v[i];
	return NULL;
}

/* ---- the archive ---- */

/* Old images have the id of a mount instead of the device, and nothing says of which one. */
static int find_image(struct restore *r, const struct mount *mount, struct content_image *ret)
{
	const struct content_image candidates[] = { { IMAGE_TMPFS_DEV, mount->fs->dev },
						    { IMAGE_TMPFS_IMG, mount->entry->mnt_id } };
	struct image_extent extent;
	int err = -ENOENT;

	for (size_t i = 0; err == -ENOENT && i < ARRAY_SIZE(candidates); i++) {
		*ret = candidates[i];
		err = image_store_open(r->dir, ret->type, ret->id, &extent);
	}
	if (err)
		return fail(err, "mount %s: its content: %s", mount->entry->mountpoint, image_store_error(r->dir));
	cleanup_close(&extent.fd);
	return 0;
}

int content_load(struct restore *r, const struct ns *ns, struct mount *mount)
{
	struct content_image *image = arena_alloc(&r->arena, sizeof(*image));

	if (!image)
		return fail(-ENOMEM, "mount %s", mount->entry->mountpoint);
	mount->fs->data = image;
	return find_image(r, mount, image);
}

static int load_into(struct restore *r, const struct content_image *image, const struct mount *with_extras, int dir_fd)
{
	_cleanup_extras_ struct extras extras = { .of = with_extras };
	struct image_extent extent = { .fd = -1 };
	struct fs_archive_input in = { .next_extra = next_extra, .arg = &extras };
	int err = image_store_open(r->dir, image->type, image->id, &extent);

	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	in.fd = extent.fd;
	in.bytes = extent.bytes;
	in.base = extent.base;
	in.len = extent.len;
	err = fs_archive_load(dir_fd, &in);
	cleanup_close(&extent.fd);
	return err;
}

int content_fill(struct restore *r, const struct ns *ns, struct mount *mount, int dir_fd)
{
	LOG_SCOPE("mount %s", mount->entry->mountpoint);
	return load_into(r, mount->fs->data, find_extras(ns, mount->fs), dir_fd);
}

int content_fill_unattached(struct restore *r, const struct mount *mount, int dir_fd)
{
	LOG_SCOPE("mount %s", mount->entry->mountpoint);
	return load_into(r, mount->fs->data, mount, dir_fd);
}

int content_fill_removed(struct restore *r, const struct mount *mount, int dir_fd)
{
	const struct content_image image = { IMAGE_MNT_REMOVED, mount->entry->removed_id };

	LOG_SCOPE("mount %s", mount->entry->mountpoint);
	return load_into(r, &image, mount, dir_fd);
}
