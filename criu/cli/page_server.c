// SPDX-License-Identifier: GPL-2.0-only
/* criu page-server */
#include "page_server/page_server.h"
#include "cli/cli.h"

int page_server_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	return ret < 0 ? ret : session_end(req, page_server_run(&req->opts));
}
