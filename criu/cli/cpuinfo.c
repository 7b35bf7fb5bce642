// SPDX-License-Identifier: GPL-2.0-only
/* criu cpuinfo dump, criu cpuinfo check */
#include "cpu/cpuinfo.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/usage.h"
#include "util/str.h"

int cpuinfo_command(struct request *req, const struct words *words)
{
	bool dump = words->arg_nr == 1 && str_eq(words->arg[0], "dump");
	int ret;

	if (!dump && !(words->arg_nr == 1 && str_eq(words->arg[0], "check")))
		return usage_error("usage: criu cpuinfo dump|check [OPTION]...");
	ret = session_begin(req);
	if (ret < 0)
		return ret;
	return session_end(req, dump ? cpuinfo_dump(&req->opts) : cpuinfo_check(&req->opts));
}
