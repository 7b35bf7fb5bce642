/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets of fields in the structs of the running kernel, from /sys/kernel/btf/vmlinux. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"
#include "util/str.h"

ARRAY_OF(btf_offsets, uint32_t);

struct btf {
	void *map; /* the mapped file, or: */
	size_t map_len;
	struct buf bytes;
	const char *types, *names;
	size_t types_len, names_len;
	size_t walked; /* in @types: what is before this is indexed */
	struct btf_offsets by_id; /* in @types: offset of each 64th type, from id 1 on */
	size_t nr_types; /* that are indexed */
	struct btf_offsets structs; /* of structs only */
};

/*
 * That of the running kernel: read when it is first needed, and kept, as a run opens several readers. -ENOENT: the kernel
 * was built without it.
 */
int btf_of_kernel(struct btf **ret);
/* Takes ownership of @bytes, also on failure. -EBADMSG: invalid data. A search ends at an invalid type. */
int btf_parse(struct buf *bytes, struct btf *ret);
void btf_free(struct btf *btf);
/* The offset of "a.b.c" in struct @name, in bytes, also in unnamed structs. -ENOENT: no such field, or a bit field. */
long btf_field(struct btf *btf, const char *name, const char *path);
/* The same, rounded down to a byte for bit fields. */
long btf_byte(struct btf *btf, const char *name, const char *path);
/* btf_field() of @path or, for other kernels, @other (NULL: none); -EOPNOTSUPP. */
int btf_field_or(struct btf *btf, const char *name, const char *path, const char *other, long *ret);
/* sizeof(struct @name); -ENOENT */
long btf_sizeof(struct btf *btf, const char *name);
