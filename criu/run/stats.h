/* SPDX-License-Identifier: GPL-2.0-only */
/* Statistics of a run, written to stats-dump and stats-restore. Times are in microseconds, pages are PAGE_SZ bytes. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct options;

struct dump_stats {
	uint64_t freezing_time; /* until every task was stopped */
	uint64_t frozen_time; /* from the first task stopped to the last one released */
	uint64_t memdump_time; /* reading pages from the tasks */
	uint64_t memwrite_time; /* writing them; part of it may come after the thaw */
	uint64_t pages_scanned; /* examined in the tasks' page maps */
	uint64_t pages_skipped_parent; /* unchanged since the parent image */
	uint64_t pages_written;
	uint64_t pages_same; /* not written, as another process has them, too */
	uint64_t pages_lazy; /* may be restored lazily */
	uint64_t page_pipes, page_pipe_bufs;
	uint64_t shpages_scanned, shpages_skipped_parent, shpages_written; /* memory shared between tasks */
};

struct restore_stats {
	uint64_t forking_time; /* creating the tasks */
	uint64_t restore_time; /* total, until the tree runs */
	uint64_t pages_compared, pages_skipped_cow; /* inherited copy-on-write memory: compared; left alone */
	uint64_t pages_restored;
};

struct run_stats {
	struct dump_stats dump;
	struct restore_stats restore;
};

/* Monotonic clock in microseconds: uint64_t t0 = stats_now(); ... stats.memdump_time += stats_now() - t0; */
uint64_t stats_now(void);

/*
 * End of a run: writes stats-dump or stats-restore to the directory @work_dirfd and, with --display-stats, prints them
 * on stderr. 0 or a negative errno, logged as a warning: the run does not fail.
 */
int stats_finish_dump(const struct options *opts, int work_dirfd, const struct dump_stats *stats);
int stats_finish_restore(const struct options *opts, int work_dirfd, const struct restore_stats *stats);
