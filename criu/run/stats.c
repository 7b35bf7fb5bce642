// SPDX-License-Identifier: GPL-2.0-only
/* Statistics of a run. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "image/dir.h"
#include "image/writer.h"
#include "run/options.h"
#include "run/stats.h"
#include "stats.pb-c.h"
#include "util/log.h"

uint64_t stats_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int write_stats(int work_dirfd, enum image_type type, StatsEntry *entry)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *name = type == IMAGE_STATS_DUMP ? "stats-dump" : "stats-restore";
	int ret = image_dir_open_fd(work_dirfd, &dir);

	if (ret < 0) {
		log_warn("%s: work directory: %s", name, strerror(-ret));
		return ret;
	}
	ret = image_store_begin_beside(dir);
	if (ret == 0)
		ret = image_write_single(dir, type, 0, &entry->base);
	if (ret == 0)
		ret = image_store_commit(dir);
	if (ret < 0)
		log_warn("%s: %s", name, image_store_error(dir));
	return ret;
}

struct stats_line {
	const char *text;
	uint64_t value;
	bool is_time;
};

/* On stderr: stdout may be a pipe that the restored tree writes to. */
static void print_stats(const struct options *opts, const char *title, const struct stats_line *lines, size_t n)
{
	if (!opts->display_stats)
		return;
	fprintf(stderr, "%s statistics:\n", title);
	for (size_t i = 0; i < n; i++) {
		if (lines[i].is_time)
			fprintf(stderr, "  %-28s %10.3f ms\n", lines[i].text, (double)lines[i].value / 1000);
		else
			fprintf(stderr, "  %-28s %10" PRIu64 "\n", lines[i].text, lines[i].value);
	}
	fflush(stderr);
}

static uint32_t us32(uint64_t us)
{
	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

int stats_finish_dump(const struct options *opts, int work_dirfd, const struct dump_stats *stats)
{
	const struct stats_line lines[] = {
		{ "freezing time", stats->freezing_time, true },
		{ "frozen time", stats->frozen_time, true },
		{ "memory dump time", stats->memdump_time, true },
		{ "memory write time", stats->memwrite_time, true },
		{ "pages scanned", stats->pages_scanned, false },
		{ "pages written", stats->pages_written, false },
		{ "pages skipped (parent)", stats->pages_skipped_parent, false },
		{ "pages lazy", stats->pages_lazy, false },
		{ "shared pages scanned", stats->shpages_scanned, false },
		{ "shared pages written", stats->shpages_written, false },
		{ "shared pages skipped (parent)", stats->shpages_skipped_parent, false },
	};
	DumpStatsEntry dump = DUMP_STATS_ENTRY__INIT;
	StatsEntry entry = STATS_ENTRY__INIT;

	dump.freezing_time = us32(stats->freezing_time);
	dump.frozen_time = us32(stats->frozen_time);
	dump.memdump_time = us32(stats->memdump_time);
	dump.memwrite_time = us32(stats->memwrite_time);
	dump.pages_scanned = stats->pages_scanned;
	dump.pages_skipped_parent = stats->pages_skipped_parent;
	dump.pages_written = stats->pages_written;
	dump.pages_lazy = stats->pages_lazy;
	dump.has_page_pipes = dump.has_page_pipe_bufs = true;
	dump.page_pipes = stats->page_pipes;
	dump.page_pipe_bufs = stats->page_pipe_bufs;
	dump.has_shpages_scanned = dump.has_shpages_skipped_parent = dump.has_shpages_written = true;
	dump.shpages_scanned = stats->shpages_scanned;
	dump.shpages_skipped_parent = stats->shpages_skipped_parent;
	dump.shpages_written = stats->shpages_written;
	entry.dump = &dump;
	print_stats(opts, "Dump", lines, ARRAY_SIZE(lines));
	return write_stats(work_dirfd, IMAGE_STATS_DUMP, &entry);
}

int stats_finish_restore(const struct options *opts, int work_dirfd, const struct restore_stats *stats)
{
	const struct stats_line lines[] = {
		{ "forking time", stats->forking_time, true },
		{ "restore time", stats->restore_time, true },
		{ "pages restored", stats->pages_restored, false },
		{ "pages compared", stats->pages_compared, false },
		{ "pages kept (copy on write)", stats->pages_skipped_cow, false },
	};
	RestoreStatsEntry restore = RESTORE_STATS_ENTRY__INIT;
	StatsEntry entry = STATS_ENTRY__INIT;

	restore.forking_time = us32(stats->forking_time);
	restore.restore_time = us32(stats->restore_time);
	restore.pages_compared = stats->pages_compared;
	restore.pages_skipped_cow = stats->pages_skipped_cow;
	restore.has_pages_restored = true;
	restore.pages_restored = stats->pages_restored;
	entry.restore = &restore;
	print_stats(opts, "Restore", lines, ARRAY_SIZE(lines));
	return write_stats(work_dirfd, IMAGE_STATS_RESTORE, &entry);
}
