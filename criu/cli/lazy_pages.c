// SPDX-License-Identifier: GPL-2.0-only
/* criu lazy-pages */
#include "cli/cli.h"
#include "lazy/lazy.h"

int lazy_pages_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	return ret < 0 ? ret : session_end(req, lazy_pages_run(&req->opts));
}
