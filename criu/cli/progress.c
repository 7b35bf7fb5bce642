// SPDX-License-Identifier: GPL-2.0-only
/* When a progress line makes sense: somebody sits at a terminal, and no log runs over it. */
#include <stdlib.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "run/stats.h"
#include "util/log.h"

#define FIRST_LINE_US 1000000

/* In the foreground of a terminal that does not stop its background writers: restored tasks write from elsewhere. */
static bool line_is_seen(const struct options *opts)
{
	struct termios term;

	if (opts->log_level == LOG_SILENT || (!opts->log_file && opts->log_level > LOG_WARN))
		return false;
	if (!isatty(STDERR_FILENO) || tcgetattr(STDERR_FILENO, &term) < 0)
		return false;
	return !(term.c_lflag & TOSTOP) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

struct progress *progress_begin(const char *what, const struct options *opts)
{
	struct progress *progress;

	if (!line_is_seen(opts))
		return NULL;
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return NULL; /* a run does not fail for that */
	progress->what = what;
	progress->fd = STDERR_FILENO;
	progress->start = stats_now();
	progress->next_line = progress->start + FIRST_LINE_US;
	return progress;
}

void progress_close(struct progress *progress)
{
	if (!progress)
		return;
	progress_finish(progress);
	munmap(progress, sizeof(*progress));
}
