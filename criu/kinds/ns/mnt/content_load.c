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
#include "tmpfs-extra.pb-c.h"
#include "util/log.h"
#include "util/str.h"

/* Which image it is. */
struct content_image {
	enum image_type type;
	uint64_t id;
};

/* ---- the extras ---- */

struct extras {
	struct image_reader *img; /* NULL: there are none */
	TmpfsExtraEntry *entry; /* the last one */
	struct buf path, link, names;
	struct fs_xattr *xattrs;
};

static void extras_free(struct extras *x)
{
	image_free_record(x->entry);
	image_done(x->img);
	buf_free(&x->path);
	buf_free(&x->link);
	buf_free(&x->names);
	free(x->xattrs);
}
#define _cleanup_extras_ __attribute__((cleanup(extras_free)))

static bool has_nul(const ProtobufCBinaryData *bytes)
{
	return bytes->len && memchr(bytes->data, 0, bytes->len);
}

static int copy_text(struct extras *x, const ProtobufCBinaryData *from, struct buf *to)
{
	buf_clear(to);
	if (has_nul(from))
		return fail(-EBADMSG, "%s", (image_refuse(x->img, "a name with a NUL"), image_error(x->img)));
	return buf_add(to, from->data ? (const char *)from->data : "", from->len);
}

static int copy_names(struct extras *x, const TmpfsExtraEntry *e)
{
	buf_clear(&x->names);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const ProtobufCBinaryData *name = &e->xattrs[i]->name;

		if (!name->len || has_nul(name))
			return fail(-EBADMSG, "%s",
				    (image_refuse(x->img, "the name of an attribute"), image_error(x->img)));
		if (buf_add(&x->names, name->data, name->len) || buf_add(&x->names, "", 1))
			return -ENOMEM;
	}
	return 0;
}

static int copy_xattrs(struct extras *x, const TmpfsExtraEntry *e, struct fs_archive_extra *ret)
{
	int err = copy_names(x, e);
	size_t at = 0;

	if (err)
		return err;
	free(x->xattrs);
	x->xattrs = calloc(e->n_xattrs + 1, sizeof(*x->xattrs));
	if (!x->xattrs)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_xattrs; i++) {
		x->xattrs[i] =
			(struct fs_xattr){ x->names.data + at, e->xattrs[i]->value.data, e->xattrs[i]->value.len };
		at += e->xattrs[i]->name.len + 1;
	}
	ret->xattrs = x->xattrs;
	ret->nr_xattrs = e->n_xattrs;
	return 0;
}

static int convert(struct extras *x, const TmpfsExtraEntry *e, struct fs_archive_extra *ret)
{
	int err = copy_text(x, &e->path, &x->path);

	if (!err && e->has_link)
		err = copy_text(x, &e->link, &x->link);
	if (err)
		return err;
	*ret = (struct fs_archive_extra){
		.path = x->path.data ?: "",
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.atime = { e->atime, e->atime_nsec },
		.mtime = { e->mtime, e->mtime_nsec },
		.link = e->has_link ? x->link.data ?: "" : NULL,
	};
	return copy_xattrs(x, e, ret);
}

static int next_extra(void *arg, struct fs_archive_extra *ret)
{
	struct extras *x = arg;
	int got, err;

	if (!x->img)
		return 0;
	image_free_record(x->entry);
	x->entry = NULL;
	got = image_read_record(x->img, &tmpfs_extra_entry__descriptor, &x->entry);
	if (got <= 0)
		return got < 0 ? fail(got, "%s", image_error(x->img)) : 0;
	err = convert(x, x->entry, ret);
	return err ? err : 1;
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

static int open_extras(struct restore *r, const struct mount *mount, struct extras *ret)
{
	int err = image_open(r->dir, IMAGE_TMPFS_EXTRA, mount->fs->dev, &ret->img);

	if (err == -ENOENT)
		return 0;
	return err < 0 ? fail(err, "%s", image_store_error(r->dir)) : 0;
}

int content_fill(struct restore *r, const struct ns *ns, struct mount *mount, int dir_fd)
{
	_cleanup_extras_ struct extras extras = { 0 };
	const struct content_image *image = mount->fs->data;
	struct image_extent extent = { .fd = -1 };
	struct fs_archive_input in = { .next_extra = next_extra, .arg = &extras };
	int err;

	LOG_SCOPE("mount %s", mount->entry->mountpoint);
	err = image_store_open(r->dir, image->type, image->id, &extent);
	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	in.fd = extent.fd;
	in.bytes = extent.bytes;
	in.base = extent.base;
	in.len = extent.len;
	err = open_extras(r, mount, &extras);
	if (!err)
		err = fs_archive_load(dir_fd, &in);
	cleanup_close(&extent.fd);
	return err;
}
