/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all readers of the kernel's memory have in common. A reader is a struct that begins with
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
	size_t size, to; /* of the struct; where its numbers are */
	const struct kernel_field *fields;
	size_t nr;
};
#define KERNEL_READER_TYPE(type, fields)                                     \
	{                                                                    \
		sizeof(type), offsetof(type, at), fields, ARRAY_SIZE(fields) \
	}

/* NULL: @ret_err is -EPERM, -EOPNOTSUPP, -ENOENT: this kernel, or this user, cannot. It takes some ms: once in a run. */
void *kernel_reader_new(const struct kernel_reader_type *type, int *ret_err);
/* NULL is fine. */
void kernel_reader_free(void *reader);

/* A field that is read as an unsigned number of @len bytes. */
struct kernel_word {
	long field;
	size_t len;
	uint64_t *ret;
};
/* Fields of the struct at @object, one after the other, as kernel_memory_field() does it for one. */
int kernel_words_read(const struct kernel_memory *mem, uint64_t object, const struct kernel_word *words, size_t n);
