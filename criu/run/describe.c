// SPDX-License-Identifier: GPL-2.0-only
#include "run/describe.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include "run/kind.h"
#include "util/hash.h"

void describe_add(struct description *d, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0 || buf_add_str(&d->text, text))
		d->err = -ENOMEM;
	va_end(ap);
	free(text);
}

const char *describe_path_of(const struct description *d, uint32_t file_id)
{
	const FileEntry *file = d->finder->find(d->finder, IMAGE_FILES, file_id);

	return file && file->reg ? file->reg->name : NULL;
}

void describe_flow(struct description *d, const char *sort, uint64_t number, unsigned flags)
{
	d->flow = hash_mix(hash_str(sort) ^ hash_mix(number + 1)) | 1;
	d->reads = (flags & O_ACCMODE) != O_WRONLY;
	d->writes = (flags & O_ACCMODE) != O_RDONLY;
}

static const struct fd_kind *kind_of(const FileEntry *file)
{
	for (const struct fd_kind *const *kind = fd_kinds; file && *kind; kind++)
		if ((*kind)->image_type == file->type && (*kind)->load)
			return *kind;
	return NULL;
}

const char *describe_kind(const FileEntry *file)
{
	const struct fd_kind *kind = kind_of(file);

	return kind ? kind->name : "unknown";
}

int describe(const FileEntry *file, const struct record_finder *finder, struct description *ret)
{
	const struct fd_kind *kind = kind_of(file);

	*ret = (struct description){ .finder = finder };
	if (kind && kind->describe)
		kind->describe(file, ret);
	if (!ret->err && !ret->text.len)
		describe_add(ret, "%s", describe_kind(file));
	return ret->err;
}

void description_free(struct description *d)
{
	buf_free(&d->text);
	buf_free(&d->peer);
}
