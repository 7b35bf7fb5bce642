/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the fields of the kernel's structs are: a table of those that a reader needs, looked up once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "kmem/btf.h"

/*
 * What a reader needs to know of the kernel's structs: where a field lies in one, or, without @path, how large it is. The
 * number is stored as a long at offset @to of a struct of the reader's; a negative one: this kernel has no such field.
 */
struct kernel_field {
	const char *type, *path;
	const char *other; /* its path in other kernels; NULL: none */
	size_t to;
	bool optional; /* the reader can do without */
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

/* -EOPNOTSUPP: this kernel does not have one that is not optional. */
int kernel_fields_find(const struct btf *btf, const struct kernel_field *fields, size_t n, void *numbers);
