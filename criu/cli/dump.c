// SPDX-License-Identifier: GPL-2.0-only
/* criu dump, criu pre-dump */
#include "dump/dump.h"
#include "cli/cli.h"
#include "cli/options.h"

int dump_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	return ret < 0 ? ret : session_end(req, dump_run(&req->opts));
}
