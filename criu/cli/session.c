// SPDX-License-Identifier: GPL-2.0-only
/* Begin and end of a run from the command line: preparing the request, progress line, report of a failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "request/open.h"
#include "request/validate.h"
#include "util/log.h"
#include "util/str.h"

int session_begin(struct request *req)
{
	int ret = request_validate(req);

	if (ret == 0)
		ret = request_open(req);
	if (ret == 0)
		req->opts.progress = progress_begin(req->name, &req->opts);
	return ret;
}

/* If the log goes to stderr, the reason is there already; at level 0 only the exit status reports it. */
static void report_failure(const struct request *req, int err)
{
	const struct options *opts = &req->opts;

	if (opts->log_level == LOG_SILENT)
		return;
	if (req->log_fd >= 0)
		log_errors_to(stderr);
	if (!log_error_count())
		fprintf(stderr, "criu: %s failed: %s\n", req->name, strerror(-err));
	else
		fprintf(stderr, "criu: %s failed\n", req->name);
	if (req->log_fd < 0 || str_eq(opts->log_file, "-"))
		return;
	if (opts->log_file[0] == '/')
		fprintf(stderr, "criu: the log is %s\n", opts->log_file);
	else
		fprintf(stderr, "criu: the log is %s/%s\n", opts->work_dir ? opts->work_dir : opts->images_dir,
			opts->log_file);
}

int session_end(struct request *req, int err)
{
	progress_close(req->opts.progress);
	req->opts.progress = NULL;
	if (err < 0)
		report_failure(req, err);
	request_close(req);
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
