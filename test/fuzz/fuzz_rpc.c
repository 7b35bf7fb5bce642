// SPDX-License-Identifier: GPL-2.0-only
/* A message of an RPC client: decoded, and its fields taken as options of each command. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "request/rpc.h"
#include "rpc.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_report(void *arg, const char *line)
{
	*(unsigned int *)arg += strncmp(line, "warning: ", strlen("warning: ")) != 0;
}

static void take(unsigned int command, const CriuOpts *opts)
{
	unsigned int reports = 0;
	struct request req;
	int ret;

	if (request_init(&req, count_report, &reports) < 0)
		abort();
	req.command = command;
	ret = request_from_rpc(&req, opts);
	/* Whatever is refused has its reason. */
	if (ret > 0 || (ret < 0 && ret != -ENOMEM && !reports) || (ret == 0 && reports))
		abort();
	/* Descriptors are numbers of the fuzzer's own table here. */
	req.opts.images_dir_fd = req.opts.work_dir_fd = -1;
	request_free(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int commands[] = { CMD_DUMP, CMD_PRE_DUMP, CMD_RESTORE, CMD_CHECK, CMD_PAGE_SERVER };
	CriuReq *req = criu_req__unpack(NULL, size, data);

	for (size_t i = 0; req && req->opts && i < ARRAY_SIZE(commands); i++)
		take(commands[i], req->opts);
	if (req)
		criu_req__free_unpacked(req, NULL);
	return 0;
}
