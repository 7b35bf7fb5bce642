/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* "criu: ..." on stderr, for mistakes on the command line. Returns -EINVAL. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for errors in a request; @arg is not used. */
void usage_report(void *arg, const char *line);
