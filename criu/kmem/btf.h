/* SPDX-License-Identifier: GPL-2.0-only */
/* Where fields lie in the structs of the running kernel, as it tells itself: /sys/kernel/btf/vmlinux. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"
#include "util/str.h"

ARRAY_OF(btf_offsets, uint32_t);

struct btf {
	void *map; /* of the file, or: */
	size_t map_len;
	struct buf bytes;
	const char *types, *names;
	size_t types_len, names_len;
	struct btf_offsets by_id; /* in @types: of each 64th type, from id 1 on */
	size_t nr_types;
	struct btf_offsets structs; /* of structs only */
};

/* -ENOENT: the kernel was built without it. */
int btf_read(struct btf *ret);
/* Takes @bytes over, also on failure. -EBADMSG */
int btf_parse(struct buf *bytes, struct btf *ret);
void btf_free(struct btf *btf);
/* Where "a.b.c" lies in struct @name, in bytes, through structs without a name; -ENOENT. A bit field is none. */
long btf_field(const struct btf *btf, const char *name, const char *path);
/* The byte where it begins, of a bit field as well. */
long btf_byte(const struct btf *btf, const char *name, const char *path);
/* btf_field() of @path or, in other kernels, @other (NULL: none); -EOPNOTSUPP. */
int btf_field_or(const struct btf *btf, const char *name, const char *path, const char *other, long *ret);
/* sizeof(struct @name); -ENOENT */
long btf_sizeof(const struct btf *btf, const char *name);
