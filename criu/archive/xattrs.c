// SPDX-License-Identifier: GPL-2.0-only
#include "archive/xattrs.h"
#include <errno.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

void xattrs_free(struct xattrs *x)
{
	buf_free(&x->text);
	array_free(&x->places);
	array_free(&x->list);
}

static ssize_t list_names(struct xattr_file file, char *to, size_t size)
{
	ssize_t n = file.fd >= 0 ? flistxattr(file.fd, to, size) : llistxattr(file.name, to, size);

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	return n < 0 ? -errno : n;
}

static ssize_t read_value(struct xattr_file file, const char *name, void *to, size_t size)
{
	ssize_t n = file.fd >= 0 ? fgetxattr(file.fd, name, to, size) : lgetxattr(file.name, name, to, size);

	return n < 0 ? -errno : n;
}

/* The name is in the text: its offset. */
static int add_value(struct xattr_file file, size_t name, struct xattrs *x)
{
	struct xattr_place *place;
	ssize_t n;

	if (buf_reserve(&x->text, XATTR_SIZE_MAX))
		return -ENOMEM;
	n = read_value(file, x->text.data + name, x->text.data + x->text.len, XATTR_SIZE_MAX);
	/* What is listed for everybody, but readable only with more rights than those of this user namespace. */
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return 0;
	place = n < 0 ? NULL : array_push(&x->places);
	if (!place)
		return n < 0 ? (int)n : -ENOMEM;
	*place = (struct xattr_place){ name, x->text.len, (size_t)n };
	x->text.len += (size_t)n;
	return 0;
}

static int list_them(struct xattrs *x)
{
	const struct xattr_place *place;

	array_for_each(place, &x->places) {
		struct fs_xattr xattr = { x->text.data + place->name, x->text.data + place->value, place->len };

		if (array_add(&x->list, xattr))
			return -ENOMEM;
	}
	return 0;
}

int xattrs_read(struct xattr_file file, struct xattrs *x)
{
	ssize_t len;
	int err = 0;

	x->places.n = 0;
	x->list.n = 0;
	buf_clear(&x->text);
	if (buf_reserve(&x->text, XATTR_LIST_MAX))
		return -ENOMEM;
	len = list_names(file, x->text.data, XATTR_LIST_MAX);
	if (len <= 0)
		return (int)len;
	x->text.len = (size_t)len;
	for (size_t at = 0; !err && at < (size_t)len; at += strlen(x->text.data + at) + 1)
		err = add_value(file, at, x);
	return err ? err : list_them(x);
}

int xattr_write(struct xattr_file file, const char *name, const void *value, size_t len)
{
	int err = file.fd >= 0 ? fsetxattr(file.fd, name, value, len, 0) : lsetxattr(file.name, name, value, len, 0);

	return err < 0 ? -errno : 0;
}
