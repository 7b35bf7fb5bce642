/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text from elsewhere (names of programs and files, images) on stdout: it may have any bytes in it, and must neither control
 * the terminal nor break the format.
 */
#pragma once
#include <stddef.h>

/* For a terminal: whatever is not printable becomes '?'. At most @columns characters, the last ones "..." if there are more. */
void print_safe(const char *text, size_t columns);
#define PRINT_ALL ((size_t)-1)
/* A string of JSON, "null" for NULL. What is not UTF-8 becomes U+FFFD. */
void print_json(const char *text);
/* A member of an object that is not the first one. */
void print_json_member(const char *name, const char *value);
/* A string of Graphviz, without the quotes around it. */
void print_dot(const char *text);
/* "1.2M": at most 5 characters. */
void print_size(unsigned long long bytes);
