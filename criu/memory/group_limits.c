/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/group_limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/str.h"

/* The kernel counts in batches: so much of what is counted may be free again, for each CPU. */
#define BATCH (64ul * PAGE_SZ)

static int read_in(const struct limited_group *g, const char *path, const char *file, struct buf *text)
{
	char name[4096 + 64];
	int len = snprintf(name, sizeof(name), "%s%s%s", path[1] ? path + 1 : "", path[1] ? "/" : "", file);

	return len < 0 || (size_t)len >= sizeof(name) ? -1 : read_file(g->root, name, text);
}

/* UINT64_MAX: there is no limit, or no such file. */
static uint64_t read_limit(const struct limited_group *g, const char *path, const char *file)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t n;

	if (read_in(g, path, file, &text) || !text.len || sscanf(text.data, "%" SCNu64, &n) != 1)
		return UINT64_MAX;
	/* The largest number of pages, of version 1. */
	return n >= (uint64_t)INT64_MAX - PAGE_SZ ? UINT64_MAX : n;
}

static uint64_t stat_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n'), at += at ? 1 : 0)
		if (!strncmp(at, name, len) && at[len] == ' ')
			return strtoull(at + len, NULL, 10);
	return 0;
}

/*
 * Everything else can be freed, in the best case. Pages that MADV_FREE was called for are still pages of programs, but they are in
 * the lists of those of files: the smaller number counts.
 */
static uint64_t used_in(const struct limited_group *g, const char *path, bool with_swap)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t pages, listed;

	if (read_in(g, path, "memory.stat", &text) || !text.len)
		return 0;
	if (g->v2) {
		pages = stat_of(text.data, "anon") + stat_of(text.data, "shmem");
		listed = stat_of(text.data, "inactive_anon") + stat_of(text.data, "active_anon") +
			 stat_of(text.data, "unevictable");
		return MIN_OF(pages, listed);
	}
	pages = stat_of(text.data, "total_rss") + stat_of(text.data, "total_shmem");
	listed = stat_of(text.data, "total_inactive_anon") + stat_of(text.data, "total_active_anon") +
		 stat_of(text.data, "total_unevictable");
	return MIN_OF(pages, listed) + (with_swap ? stat_of(text.data, "total_swap") : 0);
}

/* How much of it could be swapped out, in the best case. */
static uint64_t swap_of(const struct limited_group *g, const char *path, uint64_t swap)
{
	uint64_t max = g->v2 ? read_limit(g, path, "memory.swap.max") : UINT64_MAX, now;

	if (!swap || max == UINT64_MAX)
		return swap;
	now = read_limit(g, path, "memory.swap.current");
	return now == UINT64_MAX ? swap : MIN_OF(swap, max - MIN_OF(max, now));
}

/* Before Linux 5.11, version 1 could have groups whose limits do not apply to those below. */
static bool counts_below(const struct limited_group *g, const char *path)
{
	return g->v2 || read_limit(g, path, "memory.use_hierarchy") != 0;
}

static bool is_over(const struct limited_group *g, const char *path, uint64_t needed, uint64_t swap,
		    struct group_shortage *s)
{
	const bool with_swap = !strcmp(s->file, "memory.memsw.limit_in_bytes");
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t room;

	s->limit = read_limit(g, path, s->file);
	if (s->limit == UINT64_MAX)
		return false;
	s->used = used_in(g, path, with_swap);
	room = s->limit + (with_swap ? 0 : swap_of(g, path, swap));
	s->room = room - MIN_OF(room, s->used);
	return needed > s->room + BATCH * (uint64_t)MAX_OF(cpus, 1l);
}

static bool level_is_short(const struct limited_group *g, const char *path, uint64_t needed, uint64_t swap,
			   struct group_shortage *s)
{
	s->file = g->v2 ? "memory.max" : "memory.limit_in_bytes";
	if (is_over(g, path, needed, swap, s))
		return true;
	s->file = "memory.memsw.limit_in_bytes";
	return !g->v2 && is_over(g, path, needed, swap, s);
}

/* What is left of its limits, without swap. */
static uint64_t room_in(const struct limited_group *g, const char *path)
{
	struct group_shortage s = { .file = g->v2 ? "memory.max" : "memory.limit_in_bytes" };
	uint64_t least = is_over(g, path, UINT64_MAX, 0, &s) ? s.room : UINT64_MAX;

	s.file = "memory.memsw.limit_in_bytes";
	return !g->v2 && is_over(g, path, UINT64_MAX, 0, &s) ? MIN_OF(least, s.room) : least;
}

/* To the one above it; false: there is none. */
static bool go_up(char *path)
{
	char *last = strrchr(path, '/');

	if (!last || !path[1])
		return false;
	last[last == path] = 0;
	return true;
}

/* Outside of the root of our cgroup namespace: "/../x". */
static bool is_visible(const struct limited_group *g, size_t size)
{
	return strlen(g->path) < size && !strstr(g->path, "/..");
}

uint64_t group_room(const struct limited_group *g)
{
	uint64_t least = UINT64_MAX;
	bool exact = g->exact;
	char path[4096];

	if (!is_visible(g, sizeof(path)))
		return least;
	strcpy(path, g->path);
	do {
		if (exact || counts_below(g, path))
			least = MIN_OF(least, room_in(g, path));
		exact = false;
	} while (go_up(path));
	return least;
}

bool group_is_short(const struct limited_group *g, uint64_t needed, uint64_t swap, struct group_shortage *ret)
{
	char path[sizeof(ret->path)];
	bool exact = g->exact;

	if (!is_visible(g, sizeof(path)))
		return false;
	strcpy(path, g->path);
	do {
		if ((exact || counts_below(g, path)) && level_is_short(g, path, needed, swap, ret)) {
			strcpy(ret->path, path);
			return true;
		}
		exact = false;
	} while (go_up(path));
	return false;
}
