// SPDX-License-Identifier: GPL-2.0-only
/* Error messages for mistakes on the command line. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/usage.h"

int usage_error(const char *fmt, ...)
{
	va_list args;

	fputs("criu: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

void usage_report(void *arg, const char *line)
{
	fprintf(stderr, "criu: %s\n", line);
}
