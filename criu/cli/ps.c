// SPDX-License-Identifier: GPL-2.0-only
/* criu ps: what is in a directory of images. It is only read. */
#include "cli/ps_forms.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/usage.h"
#include "image/dir.h"
#include "inspect/read.h"
#include "util/log.h"

/* On stderr, so that the output remains of use to programs. JSON has them itself. */
static void report_problems(const struct contents *c, const struct options *opts)
{
	fflush(stdout);
	for (size_t i = 0; i < c->problems.n; i++)
		usage_error("%s: %s", opts->images_dir, c->problems.v[i]);
}

static int show(const struct options *opts)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_contents_ struct contents c = { 0 };
	int err = image_dir_open_fd(opts->images_dir_fd, &dir);

	if (!err)
		err = contents_read(dir, &c);
	if (err)
		return fail(err, "read the images in %s", opts->images_dir);
	if (opts->json)
		ps_json(&c);
	else if (opts->ps_dot && c.nr_tasks)
		ps_dot(&c);
	else if (!opts->ps_dot && (c.inventory || c.nr_tasks))
		ps_text(&c, opts);
	if (fflush(stdout) || ferror(stdout))
		return fail(-EIO, "write the output");
	if (!opts->json)
		report_problems(&c, opts);
	return c.problems.n ? EXIT_FAILURE : EXIT_SUCCESS;
}

int ps_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	if (ret < 0)
		return ret;
	ret = show(&req->opts);
	return session_end(req, ret < 0 ? ret : 0) ? EXIT_FAILURE : ret;
}
