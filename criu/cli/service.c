// SPDX-License-Identifier: GPL-2.0-only
/* criu service, criu swrk FD */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/usage.h"
#include "request/config.h"
#include "service/service.h"
#include "util/str.h"

/* The options of a request, which are added to those of config files and of our own command line. */
static int fill_base(struct request *req, const void *arg)
{
	const struct words *words = arg;
	struct words same;
	int ret;

	req->again = true;
	ret = options_scan(words->argc, words->argv, req, &same);
	if (ret == 0)
		ret = config_load(req);
	return ret == 0 ? options_parse(words->argc, words->argv, req) : ret;
}

int swrk_command(struct request *req, const struct words *words)
{
	const struct service_base base = { .fill = fill_base, .arg = words };
	uint32_t sock;

	if (words->arg_nr != 1 || parse_u32(words->arg[0], &sock) < 0 || sock > INT_MAX) {
		usage_error("usage: criu swrk FD");
		return EXIT_FAILURE;
	}
	return service_swrk((int)sock, &base);
}

int service_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	return ret < 0 ? ret : session_end(req, service_run(&req->opts));
}
