/* SPDX-License-Identifier: GPL-2.0-only */
/* Growable buffers, paths, strict number parsing. Functions return 0 or a negative errno unless noted otherwise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A growable buffer. A zeroed one is empty. data[len] is always 0 if data is set. */
struct buf {
	char *data;
	size_t len, cap;
};

void buf_free(struct buf *b);
#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

/* Reserves space for @more bytes (and a NUL) after len. -ENOMEM: the content is unchanged. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets the length to 0; the memory is kept. */
void buf_clear(struct buf *b);
/* The string itself, now owned by the caller (free(3)); "" if empty; NULL if out of memory. */
char *buf_steal(struct buf *b);

/* "@dir/@name" in @ret (of @size bytes): one slash between them; an empty @dir gives @name. -ENAMETOOLONG. */
int path_join(char *ret, size_t size, const char *dir, const char *name);
/* snprintf(3) that returns -ENAMETOOLONG instead of truncating. */
int str_format(char *ret, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * All of @s must be a number in that base: no sign, space, prefix or trailing text. -EINVAL, -ERANGE; @ret_v is
 * unchanged then.
 */
int parse_u64(const char *s, uint64_t *ret_v);
int parse_hex(const char *s, uint64_t *ret_v);
int parse_u32(const char *s, uint32_t *ret_v);
/* With an optional minus sign. */
int parse_s64(const char *s, int64_t *ret_v);

bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b);
