/* SPDX-License-Identifier: GPL-2.0-only */
/* Text for programs that insist on valid UTF-8. File names may contain any bytes. */
#pragma once
#include <stddef.h>

/* Length of the UTF-8 character at @s, 0 if it is invalid. Overlong forms and surrogates are invalid. */
size_t utf8_length(const unsigned char *s);
/* On one line: control characters become spaces, and bytes that are not UTF-8 become question marks. */
void utf8_clean(char *text);
