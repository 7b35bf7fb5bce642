/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bounds-checked parsing of kernel texts: no NUL at the end is needed. A function that returns false has not advanced.
 * Used by the parsers of this module only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct scan {
	const char *p, *end;
};

static inline struct scan scan_text(const char *text, size_t len)
{
	return (struct scan){ text, text + len };
}

static inline size_t scan_left(const struct scan *s)
{
	return s->end - s->p;
}

/* The next line, without its newline; the last one may have none. */
static inline bool scan_line(struct scan *s, struct scan *ret_line)
{
	if (s->p == s->end)
		return false;
	const char *nl = memchr(s->p, '\n', scan_left(s));
	*ret_line = (struct scan){ s->p, nl ? nl : s->end };
	s->p = nl ? nl + 1 : s->end;
	return true;
}

static inline bool scan_char(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* Exactly this text. */
static inline bool scan_lit(struct scan *s, const char *lit)
{
	size_t n = strlen(lit);

	if (scan_left(s) < n || memcmp(s->p, lit, n))
		return false;
	s->p += n;
	return true;
}

/* Any spaces and tabs: never false. */
static inline bool scan_blank(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
	return true;
}

static inline bool scan_at_end(struct scan *s)
{
	scan_blank(s);
	return s->p == s->end;
}

/* Characters up to a space, a tab or the end: at least one. */
static inline bool scan_word(struct scan *s, struct scan *ret_word)
{
	const char *p = s->p;

	while (p < s->end && *p != ' ' && *p != '\t')
		p++;
	if (p == s->p)
		return false;
	*ret_word = (struct scan){ s->p, p };
	s->p = p;
	return true;
}

/* Characters before @c (which is skipped), maybe none; false if there is no @c. */
static inline bool scan_until(struct scan *s, char c, struct scan *ret_part)
{
	const char *at = scan_left(s) ? memchr(s->p, c, scan_left(s)) : NULL;

	if (!at)
		return false;
	*ret_part = (struct scan){ s->p, at };
	s->p = at + 1;
	return true;
}

static inline bool scan_is(const struct scan *s, const char *text)
{
	return scan_left(s) == strlen(text) && !memcmp(s->p, text, scan_left(s));
}

/* Numbers: digits only, false also on overflow. */
bool scan_u64(struct scan *s, uint64_t *ret_v);
bool scan_hex(struct scan *s, uint64_t *ret_v);
bool scan_oct(struct scan *s, uint64_t *ret_v);
bool scan_u32(struct scan *s, uint32_t *ret_v);
bool scan_hex32(struct scan *s, uint32_t *ret_v);
/* With an optional minus. */
bool scan_s64(struct scan *s, int64_t *ret_v);
bool scan_int(struct scan *s, int *ret_v);

/* Decodes \ooo escapes in place in a string of @len bytes: returns the new length. Not NUL-terminated. */
size_t unescape_octal(char *s, size_t len);
/* The same, for "\012" only: as in /proc/PID/maps, where a backslash itself is not escaped. */
size_t unescape_newlines(char *s, size_t len);
