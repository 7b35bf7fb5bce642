// SPDX-License-Identifier: GPL-2.0-only
#include "image/error.h"

#include <stdarg.h>
#include <stdio.h>

int image_fail(struct image_error *why, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return error;
}
