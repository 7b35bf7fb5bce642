// SPDX-License-Identifier: GPL-2.0-only
#include "request/request.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

/* Messages contain paths, and values of any length: longer ones are truncated. */
#define LINE_SIZE (2 * PATH_MAX)

int request_init(struct request *req, request_report_fn report, void *arg)
{
	*req = (struct request){ .command = CMD_ANY, .log_fd = -1, .report = report, .report_arg = arg };
	return options_init(&req->opts);
}

void request_free(struct request *req)
{
	options_free(&req->opts);
	str_list_free(&req->taken);
}

int request_refuse(const struct request *req, const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	req->report(req->report_arg, line);
	return -EINVAL;
}

void request_warn(const struct request *req, const char *fmt, ...)
{
	static const char prefix[] = "warning: ";
	char line[LINE_SIZE];
	va_list args;

	if (req->again)
		return;
	snprintf(line, sizeof(line), "%s", prefix);
	va_start(args, fmt);
	vsnprintf(line + sizeof(prefix) - 1, sizeof(line) - (sizeof(prefix) - 1), fmt, args);
	va_end(args);
	req->report(req->report_arg, line);
}
