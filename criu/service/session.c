// SPDX-License-Identifier: GPL-2.0-only
#include "service/session.h"
#include <stdarg.h>
#include <stdio.h>

int session_refuse(struct session *s, int err, const char *fmt, ...)
{
	va_list args;

	/* The first reason is the one that the client gets. */
	if (s->reason[0])
		return err;
	va_start(args, fmt);
	vsnprintf(s->reason, sizeof(s->reason), fmt, args);
	va_end(args);
	return err;
}
