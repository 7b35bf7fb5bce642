/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets of fields in the kernel's structs: a table of those that a reader needs, looked up once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "kmem/btf.h"

/*
 * The offset of a field in a struct of the kernel, or, without @path, the size of the struct. It is stored as a long at
 * offset @to of the reader's own struct; negative: this kernel has no such field.
 */
struct kernel_field {
	const char *type, *path;
	const char *other; /* its path in other kernels; NULL: none */
	size_t to;
	bool optional; /* the reader works without it */
};

/*
 * One list for both, X(name, "struct", "path" or NULL, "other path" or NULL):
 *
 *	struct fields { FIELDS(KERNEL_FIELD_MEMBER) };
 *	static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) };
 */
#define KERNEL_FIELD_MEMBER(name, ...) long name;
#define KERNEL_FIELD_ROW(name, type, path, other) { type, path, other, offsetof(struct fields, name), false },
#define KERNEL_FIELD_OPTIONAL_ROW(name, type, path, other) { type, path, other, offsetof(struct fields, name), true },

/*
 * A field that is copied as it is, @len bytes, to offset @to of a record. For a bit field, from the byte on that it
 * begins in. @of: which object of the reader's it is in, if there are several.
 */
struct kernel_value {
	unsigned of;
	const char *type, *path;
	size_t to, len;
	bool optional;
};

/* -EOPNOTSUPP: this kernel lacks a field that is not optional. */
int kernel_values_find(struct btf *btf, const struct kernel_value *values, size_t n, long *ret_offsets);
int kernel_fields_find(struct btf *btf, const struct kernel_field *fields, size_t n, void *numbers);
