/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common part of all readers of kernel memory. A reader is a list of the fields that it needs, X() for those that must be there,
 * O() for the others (kmem/fields.h), and one description made of it:
 *
 *	#define FIELDS(X, O) X(own, "task_struct", "pending.list", NULL) O(...) ...
 *	KERNEL_READER(signals_reader, FIELDS)
 *
 * That defines struct signals_reader, with the memory in `mem`, the offsets of the fields in `at`, and further members, if any
 * are given. KERNEL_READER_FUNCTIONS() adds the functions that open and close it.
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
#define KERNEL_READER(name, list, ...)                                                                     \
	struct fields {                                                                                    \
		list(KERNEL_FIELD_MEMBER, KERNEL_FIELD_MEMBER)                                             \
	};                                                                                                 \
	static const struct kernel_field fields[] = { list(KERNEL_FIELD_ROW, KERNEL_FIELD_OPTIONAL_ROW) }; \
	struct name {                                                                                      \
		struct kernel_memory mem;                                                                  \
		struct fields at;                                                                          \
		__VA_ARGS__                                                                                \
	};                                                                                                 \
	static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct name, fields);

/*
 * @check: int (struct name *), whether this kernel's structs are as expected; @cleanup: void (struct name *), for members of
 * its own. KERNEL_READER_ANY, KERNEL_READER_KEEPS: nothing.
 */
#define KERNEL_READER_FUNCTIONS(name, open, close, check, cleanup)           \
	int open(struct name **ret)                                          \
	{                                                                    \
		int err;                                                     \
		struct name *reader = kernel_reader_new(&reader_type, &err); \
                                                                             \
		err = reader ? check(reader) : err;                          \
		if (!err)                                                    \
			*ret = reader;                                       \
		else                                                         \
			close(reader);                                       \
		return err;                                                  \
	}                                                                    \
                                                                             \
	void close(struct name *reader)                                      \
	{                                                                    \
		if (reader)                                                  \
			cleanup(reader);                                     \
		kernel_reader_free(reader);                                  \
	}
#define KERNEL_READER_ANY(reader) 0
#define KERNEL_READER_KEEPS(reader) ((void)0)

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
