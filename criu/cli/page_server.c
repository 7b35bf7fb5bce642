// SPDX-License-Identifier: GPL-2.0-only
/* criu page-server */
#include "page_server/page_server.h"
#include "cli/cli.h"
#include "lazy/source.h"

int page_server_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	if (ret < 0)
		return ret;
	return session_end(req, req->opts.lazy_pages ? lazy_images_serve(&req->opts) : page_server_run(&req->opts));
}
