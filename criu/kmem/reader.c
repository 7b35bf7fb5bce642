// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/reader.h"
#include <errno.h>
#include <stdlib.h>

void *kernel_reader_new(const struct kernel_reader_type *type, int *ret_err)
{
	struct kernel_memory *mem = calloc(1, type->size);

	*ret_err = mem ? kernel_memory_open(mem) : -ENOMEM;
	if (*ret_err) {
		free(mem);
		return NULL;
	}
	*ret_err = kernel_fields_find(mem->btf, type->fields, type->nr, (char *)mem + type->to);
	if (*ret_err) {
		kernel_reader_free(mem);
		return NULL;
	}
	return mem;
}

void kernel_reader_free(void *reader)
{
	if (!reader)
		return;
	kernel_memory_close(reader);
	free(reader);
}

int kernel_words_read(const struct kernel_memory *mem, uint64_t object, const struct kernel_word *words, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = kernel_memory_field(mem, object, words[i].field, words[i].len, words[i].ret);
	return err;
}
