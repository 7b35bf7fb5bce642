// SPDX-License-Identifier: LGPL-2.1-only
/* The error text of a compel_ctl. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl.h"

static __thread char open_error[256];

int ctl_set_error(struct compel_ctl *ctl, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(ctl ? ctl->error : open_error, sizeof(open_error), format, ap);
	va_end(ap);
	return err;
}

const char *compel_error(const struct compel_ctl *ctl)
{
	return ctl ? ctl->error : open_error;
}
