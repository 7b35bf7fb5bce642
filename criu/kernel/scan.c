// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>

#include "kernel/scan.h"
#include "util/digit.h"

static inline bool scan_base(struct scan *s, unsigned int base, uint64_t *ret_v)
{
	const char *p = s->p;
	uint64_t v = 0;

	for (; p < s->end; p++) {
		unsigned int d = digit_of(*p);
		if (d >= base)
			break;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	if (p == s->p)
		return false;
	s->p = p;
	*ret_v = v;
	return true;
}

bool scan_u64(struct scan *s, uint64_t *ret_v)
{
	return scan_base(s, 10, ret_v);
}

bool scan_hex(struct scan *s, uint64_t *ret_v)
{
	return scan_base(s, 16, ret_v);
}

bool scan_oct(struct scan *s, uint64_t *ret_v)
{
	return scan_base(s, 8, ret_v);
}

static bool scan_base32(struct scan *s, unsigned int base, uint32_t *ret_v)
{
	struct scan was = *s;
	uint64_t v;

	if (!scan_base(s, base, &v))
		return false;
	if (v > UINT32_MAX) {
		*s = was;
		return false;
	}
	*ret_v = v;
	return true;
}

bool scan_u32(struct scan *s, uint32_t *ret_v)
{
	return scan_base32(s, 10, ret_v);
}

bool scan_hex32(struct scan *s, uint32_t *ret_v)
{
	return scan_base32(s, 16, ret_v);
}

bool scan_s64(struct scan *s, int64_t *ret_v)
{
	struct scan was = *s;
	bool minus = scan_char(s, '-');
	uint64_t v;

	if (!scan_base(s, 10, &v) || v > (uint64_t)INT64_MAX + minus) {
		*s = was;
		return false;
	}
	*ret_v = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool scan_int(struct scan *s, int *ret_v)
{
	struct scan was = *s;
	int64_t v;

	if (!scan_s64(s, &v))
		return false;
	if (v < INT_MIN || v > INT_MAX) {
		*s = was;
		return false;
	}
	*ret_v = v;
	return true;
}

/* The byte of "\ooo" at @s, or -1. */
static int escaped_byte(const char *s, size_t left)
{
	if (left < 4 || s[0] != '\\' || s[1] < '0' || s[1] > '3')
		return -1;
	if (s[2] < '0' || s[2] > '7' || s[3] < '0' || s[3] > '7')
		return -1;
	int c = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
	return c ? c : -1;
}

static size_t unescape(char *s, size_t len, bool newlines_only)
{
	size_t to = 0;

	if (!len || !memchr(s, '\\', len))
		return len;
	for (size_t i = 0; i < len; to++) {
		int c = escaped_byte(s + i, len - i);
		if (c < 0 || (newlines_only && c != '\n')) {
			s[to] = s[i++];
			continue;
		}
		s[to] = c;
		i += 4;
	}
	return to;
}

size_t unescape_octal(char *s, size_t len)
{
	return unescape(s, len, false);
}

size_t unescape_newlines(char *s, size_t len)
{
	return unescape(s, len, true);
}
