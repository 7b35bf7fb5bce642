/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* What a digit of a number stands for, up to base 16; 99: it is none. */
static inline unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 99;
}
