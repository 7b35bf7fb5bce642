/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/print.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "util/utf8.h"

/* Control characters, also those of Latin-1, and the marks that change the direction of what follows. */
static bool is_harmless(const unsigned char *s, size_t len)
{
	if (len == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (len == 2)
		return s[0] != 0xc2 || s[1] >= 0xa0;
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x80)
		return (s[2] & 0x7f) < 0x0b || ((s[2] & 0x7f) > 0x0f && (s[2] & 0x7f) < 0x28) || (s[2] & 0x7f) > 0x2e;
	return len != 3 || s[0] != 0xe2 || s[1] != 0x81 || s[2] < 0xa6 || s[2] > 0xa9;
}

/* One character; returns its length in bytes. */
static size_t put_safe(const unsigned char *s)
{
	size_t len = utf8_length(s);

	if (len && is_harmless(s, len))
		fwrite(s, 1, len, stdout);
	else
		putchar('?');
	return len ? len : 1;
}

static size_t count_characters(const unsigned char *s)
{
	size_t n = 0;

	for (; *s; n++) {
		size_t len = utf8_length(s);

		s += len ? len : 1;
	}
	return n;
}

void print_safe(const char *text, size_t columns)
{
	const unsigned char *s = (const unsigned char *)text;
	bool whole = columns == PRINT_ALL || count_characters(s) <= columns;

	if (columns < 3 && !whole)
		return;
	for (size_t n = 0; *s && (whole || n < columns - 3); n++)
		s += put_safe(s);
	if (!whole)
		fputs("...", stdout);
}

void print_json(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!text) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	while (*s) {
		size_t len = utf8_length(s);

		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else if (!len)
			fputs("\\ufffd", stdout);
		else
			fwrite(s, 1, len, stdout);
		s += len ? len : 1;
	}
	putchar('"');
}

void print_json_member(const char *name, const char *value)
{
	printf(", \"%s\": ", name);
	print_json(value);
}

void print_dot(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		s += put_safe(s);
	}
}

void print_size(unsigned long long bytes)
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes / 1024;
	size_t unit = 0;

	for (; n >= 1000 && units[unit + 1]; unit++)
		n /= 1024;
	printf(n && n < 10 ? "%4.1f%c" : "%4.0f%c", n, units[unit]);
}
