// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/digit.h"
#include "util/str.h"

#define BUF_MIN 64

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : BUF_MIN;

	if (more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		return -ENOMEM;
	if (b->data && b->cap - b->len > more)
		return 0;
	while (cap - b->len <= more)
		cap *= 2;
	char *data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	b->data[b->len] = 0;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
	int err = buf_reserve(b, len);

	if (err)
		return err;
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = 0;
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	int err = buf_reserve(b, n);
	if (err)
		return err;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
	return 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = 0;
}

char *buf_steal(struct buf *b)
{
	char *data = b->data;

	if (!data)
		return strdup("");
	*b = (struct buf){ 0 };
	return data;
}

int path_join(char *ret, size_t size, const char *dir, const char *name)
{
	size_t len = strlen(dir);

	if (!len)
		return str_format(ret, size, "%s", name);
	while (*name == '/')
		name++;
	return str_format(ret, size, "%s%s%s", dir, dir[len - 1] == '/' ? "" : "/", name);
}

int str_format(char *ret, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(ret, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int parse_base(const char *s, unsigned int base, uint64_t *ret_v)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned int d = digit_of(*s);
		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return -ERANGE;
	}
	*ret_v = v;
	return 0;
}

int parse_u64(const char *s, uint64_t *ret_v)
{
	return parse_base(s, 10, ret_v);
}

int parse_hex(const char *s, uint64_t *ret_v)
{
	return parse_base(s, 16, ret_v);
}

int parse_u32(const char *s, uint32_t *ret_v)
{
	uint64_t v;
	int err = parse_u64(s, &v);

	if (err)
		return err;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret_v = v;
	return 0;
}

int parse_s64(const char *s, int64_t *ret_v)
{
	bool minus = *s == '-';
	uint64_t v;
	int err = parse_u64(s + minus, &v);

	if (err)
		return err;
	if (v > (uint64_t)INT64_MAX + minus)
		return -ERANGE;
	*ret_v = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !memcmp(s + n - m, suffix, m);
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}
