// SPDX-License-Identifier: GPL-2.0-only
/*
 * The progress line, shown on a terminal unless a log is printed there. It is in memory that forked children share:
 * each process adds the bytes that it moves, and whichever does so when an update is due prints the line.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "run/progress.h"
#include "run/stats.h"
#include "util/log.h"

#define FIRST_LINE_US 1000000
#define LINE_EVERY_US 200000

struct progress_line {
	struct progress progress; /* first member: the interface for the run */
	const char *what; /* "dump", "restore" */
	uint64_t start; /* by stats_now() */
	uint64_t next_line; /* when the next line is due */
	uint64_t total; /* bytes expected; 0: not known yet */
	uint64_t done; /* bytes moved */
	unsigned int lines; /* printed so far */
};

static struct progress_line *line_of(struct progress *progress)
{
	return (struct progress_line *)progress;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* Formats the line, without newline, truncated to @size; returns its length. */
static int format_line(const struct progress_line *line, uint64_t now, char *text, int size)
{
	uint64_t total = __atomic_load_n(&line->total, __ATOMIC_RELAXED);
	uint64_t done = __atomic_load_n(&line->done, __ATOMIC_RELAXED);
	uint64_t us = now > line->start ? now - line->start : 1;
	double rate = mib(done) * 1000000 / (double)us;
	int len;

	if (total >= done && total > 0)
		len = snprintf(text, size, "%s: %.0f of %.0f MiB (%u%%), %.0f MiB/s", line->what, mib(done), mib(total),
			       (unsigned int)((double)done * 100 / (double)total), rate);
	else
		len = snprintf(text, size, "%s: %.0f MiB, %.0f MiB/s", line->what, mib(done), rate);
	return len < size ? len : size - 1;
}

static void line_expect(struct progress *progress, uint64_t bytes)
{
	__atomic_add_fetch(&line_of(progress)->total, bytes, __ATOMIC_RELAXED);
}

static void line_add(struct progress *progress, uint64_t bytes)
{
	struct progress_line *line = line_of(progress);
	uint64_t now = stats_now(), due;
	char text[128];
	int len;

	__atomic_add_fetch(&line->done, bytes, __ATOMIC_RELAXED);
	due = __atomic_load_n(&line->next_line, __ATOMIC_RELAXED);
	/* Several tasks may get here at once: the one that advances next_line prints. */
	if (now < due || !__atomic_compare_exchange_n(&line->next_line, &due, now + LINE_EVERY_US, false,
						      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	text[0] = '\r';
	len = 1 + format_line(line, now, text + 1, sizeof(text) - 4);
	memcpy(text + len, "\033[K", 3);
	__atomic_add_fetch(&line->lines, 1, __ATOMIC_RELAXED);
	if (write(STDERR_FILENO, text, len + 3) < 0)
		return; /* the terminal is gone */
}

/* Wipes the last line. */
static void line_finish(struct progress *progress)
{
	static const char wipe[] = "\r\033[K";
	struct progress_line *line = line_of(progress);

	__atomic_store_n(&line->next_line, UINT64_MAX, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&line->lines, 0, __ATOMIC_RELAXED))
		return;
	if (write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
		return; /* the terminal is gone */
}

/* In the foreground of a terminal without TOSTOP: restored tasks print the line from other process groups. */
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
	uint64_t now = stats_now();
	struct progress_line *line;

	if (!line_is_seen(opts))
		return NULL;
	line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (line == MAP_FAILED)
		return NULL; /* not a reason to fail */
	*line = (struct progress_line){
		.progress = { .expect = line_expect, .add = line_add, .finish = line_finish },
		.what = what,
		.start = now,
		.next_line = now + FIRST_LINE_US,
	};
	return &line->progress;
}

void progress_close(struct progress *progress)
{
	if (!progress)
		return;
	progress_finish(progress);
	munmap(progress, sizeof(struct progress_line));
}
