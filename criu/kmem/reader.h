/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common part of all readers of kernel memory. A reader is a struct that starts with
 *
 *	struct kernel_memory mem;
 *	struct fields at;
 *
 * and has a table of its fields (kmem/fields.h):
 *
 *	static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct x_reader, fields);
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/bits.h"
#include "kmem/fields.h"
#include "kmem/kernel_memory.h"

struct kernel_reader_type {
	size_t size, to; /* of the struct; offset of its field offsets */
	const struct kernel_field *fields;
	size_t nr;
};
#define KERNEL_READER_TYPE(type, fields)                                     \
	{                                                                    \
		sizeof(type), offsetof(type, at), fields, ARRAY_SIZE(fields) \
	}

/*
 * NULL: @ret_err is -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. Takes some ms: call
 * it once per run.
 */
void *kernel_reader_new(const struct kernel_reader_type *type, int *ret_err);
/* NULL is allowed. */
void kernel_reader_free(void *reader);

/* A field to be read as an unsigned number of @len bytes. */
struct kernel_word {
	long field;
	size_t len;
	uint64_t *ret;
};
/* Reads fields of the struct at @object, each by kernel_memory_field(). */
int kernel_words_read(const struct kernel_memory *mem, uint64_t object, const struct kernel_word *words, size_t n);
