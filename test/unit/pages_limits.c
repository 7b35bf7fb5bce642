// SPDX-License-Identifier: GPL-2.0-only
/* Memory limits of control groups, of both versions, as the kernel's files show them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "memory/group_limits.h"
#include "util_check.h"
#include "util_files.h"

#define MB (1ul << 20)
#define UNLIMITED_V1 "9223372036854771712\n"

static char dir[] = "/tmp/pages_limits.XXXXXX";
static int top;
static uint64_t slack;

static void put(const char *path, const char *text)
{
	if (write_file(top, path, text, strlen(text)))
		abort();
}

static void clear(void)
{
	static const char *const files[] = {
		"memory.max",	       "memory.stat",		"memory.swap.max",
		"memory.swap.current", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
		"memory.use_hierarchy"
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		for (int below = 0; below < 3; below++) {
			snprintf(path, sizeof(path), "%s%s", below == 2 ? "a/b/" : below ? "a/" : "", files[i]);
			unlinkat(top, path, 0);
		}
}

/* The limit that is in the way of so many megabytes: "/a memory.max 100 60 50", or "". */
static const char *shortage(const struct limited_group *g, uint64_t mb, uint64_t swap_mb)
{
	static char text[5000];
	static struct group_shortage s;

	if (!group_is_short(g, mb * MB + slack, swap_mb * MB, &s))
		return "";
	snprintf(text, sizeof(text), "%s %s %lu %lu %lu", s.path, s.file, s.limit / MB, s.used / MB, s.room / MB);
	return text;
}

static void version_2_has_the_limit_of_any_group_above(void)
{
	const struct limited_group g = { .root = top, .v2 = true, .exact = true, .path = "/a/b" };

	clear();
	CHECK_STR(shortage(&g, 1000000, 0), "");
	put("a/b/memory.max", "max\n");
	put("a/memory.max", "104857600\n");
	put("a/memory.stat", "anon 41943040\nfile 52428800\nkernel 1048576\nanon_thp 999999999\nshmem 10485760\n"
			     "inactive_anon 41943040\nactive_anon 10485760\nunevictable 1048576\n");
	CHECK_STR(shortage(&g, 50, 0), "");
	CHECK_STR(shortage(&g, 51, 0), "/a memory.max 100 50 50");
	put("a/memory.stat", "anon 41943040\nshmem 10485760\ninactive_anon 10485760\nactive_anon 20971520\n"
			     "unevictable 1048576\n"); /* 19 MiB were freed lazily */
	CHECK_STR(shortage(&g, 70, 0), "/a memory.max 100 31 69");
	CHECK_STR(shortage(&g, 69, 0), "");
	put("a/b/memory.max", "1048576");
	CHECK_STR(shortage(&g, 51, 0), "/a/b memory.max 1 0 1");
	put("a/b/memory.max", "max\n");
	put("memory.max", "2097152");
	CHECK_STR(shortage(&g, 5, 0), "/ memory.max 2 0 2");
}

static void version_2_has_a_limit_of_swap(void)
{
	const struct limited_group g = { .root = top, .v2 = true, .exact = true, .path = "/a" };

	clear();
	put("a/memory.max", "104857600\n");
	put("a/memory.stat", "anon 104857600\nshmem 0\ninactive_anon 104857600\n");
	CHECK_STR(shortage(&g, 30, 30), "");
	CHECK_STR(shortage(&g, 31, 30), "/a memory.max 100 100 30");
	put("a/memory.swap.max", "20971520");
	put("a/memory.swap.current", "10485760");
	CHECK_STR(shortage(&g, 10, 30), "");
	CHECK_STR(shortage(&g, 11, 30), "/a memory.max 100 100 10");
	put("a/memory.swap.current", "30485760"); /* the limit was lowered */
	CHECK_STR(shortage(&g, 1, 30), "/a memory.max 100 100 0");
	put("a/memory.swap.max", "max\n");
	CHECK_STR(shortage(&g, 30, 30), "");
}

static void version_1_may_count_memory_with_swap(void)
{
	const struct limited_group g = { .root = top, .exact = true, .path = "/a/b" };

	clear();
	put("a/b/memory.limit_in_bytes", UNLIMITED_V1);
	put("a/b/memory.stat",
	    "cache 1\nrss 999999999\ntotal_cache 52428800\ntotal_rss 20971520\ntotal_shmem 10485760\n"
	    "total_swap 5242880\ntotal_inactive_anon 20971520\ntotal_active_anon 10485760\ntotal_unevictable 4096\n");
	CHECK_STR(shortage(&g, 100000, 0), "");
	put("a/b/memory.limit_in_bytes", "104857600\n");
	CHECK_STR(shortage(&g, 70, 0), "");
	CHECK_STR(shortage(&g, 71, 0), "/a/b memory.limit_in_bytes 100 30 70");
	CHECK_STR(shortage(&g, 90, 20), "");
	put("a/b/memory.memsw.limit_in_bytes", "115343360\n");
	CHECK_STR(shortage(&g, 75, 20), "");
	CHECK_STR(shortage(&g, 76, 20), "/a/b memory.memsw.limit_in_bytes 110 35 75");
	put("a/b/memory.stat", "total_rss 20971520\ntotal_shmem 10485760\ntotal_swap 5242880\ntotal_inactive_anon 0\n"
			       "total_active_anon 10485760\ntotal_unevictable 0\n"); /* 20 MiB were freed lazily */
	CHECK_STR(shortage(&g, 95, 20), "");
	CHECK_STR(shortage(&g, 96, 20), "/a/b memory.memsw.limit_in_bytes 110 15 95");
}

static void groups_of_version_1_need_not_count_those_below(void)
{
	struct limited_group g = { .root = top, .exact = true, .path = "/a/b" };

	clear();
	put("a/memory.limit_in_bytes", "1048576");
	CHECK_STR(shortage(&g, 5, 0), "/a memory.limit_in_bytes 1 0 1");
	put("a/memory.use_hierarchy", "0\n");
	CHECK_STR(shortage(&g, 5, 0), "");
	g.path = "/a";
	CHECK_STR(shortage(&g, 5, 0), "/a memory.limit_in_bytes 1 0 1");
	g.exact = false;
	CHECK_STR(shortage(&g, 5, 0), "");
	put("a/memory.use_hierarchy", "1\n");
	CHECK_STR(shortage(&g, 5, 0), "/a memory.limit_in_bytes 1 0 1");
}

static void groups_that_cannot_be_seen_have_no_limit(void)
{
	struct limited_group g = { .root = top, .v2 = true, .exact = true, .path = "/../a" };

	clear();
	put("a/memory.max", "1048576");
	put("memory.max", "1048576");
	CHECK_STR(shortage(&g, 5, 0), "");
	g.path = "/new/group";
	CHECK_STR(shortage(&g, 5, 0), "/ memory.max 1 0 1");
	put("memory.max", "nonsense");
	CHECK_STR(shortage(&g, 5, 0), "");
}

static void room_is_what_the_closest_limit_leaves(void)
{
	struct limited_group g = { .root = top, .v2 = true, .exact = true, .path = "/a/b" };

	clear();
	CHECK(group_room(&g) == UINT64_MAX);
	put("a/b/memory.max", "104857600");
	put("a/memory.max", "62914560");
	put("a/memory.stat", "anon 41943040\ninactive_anon 41943040\n");
	CHECK(group_room(&g) == 20 * MB);
	put("memory.max", "62914559");
	put("memory.stat", "anon 62914560\ninactive_anon 62914560\n");
	CHECK(group_room(&g) == 0);
	g.path = "/../a/b";
	CHECK(group_room(&g) == UINT64_MAX);
	clear();
	g = (struct limited_group){ .root = top, .path = "/a" };
	put("a/memory.limit_in_bytes", "104857600");
	put("a/memory.memsw.limit_in_bytes", "62914560");
	put("a/memory.stat", "total_rss 1048576\ntotal_inactive_anon 1048576\ntotal_swap 1048576\n");
	put("a/memory.use_hierarchy", "0\n");
	CHECK(group_room(&g) == UINT64_MAX);
	g.exact = true;
	CHECK(group_room(&g) == 58 * MB);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir) || (top = open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0)) < 0 || mkdirat(top, "a", 0755) ||
	    mkdirat(top, "a/b", 0755))
		abort();
	slack = 64 * PAGE_SZ * (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	RUN(version_2_has_the_limit_of_any_group_above);
	RUN(version_2_has_a_limit_of_swap);
	RUN(version_1_may_count_memory_with_swap);
	RUN(groups_of_version_1_need_not_count_those_below);
	RUN(groups_that_cannot_be_seen_have_no_limit);
	RUN(room_is_what_the_closest_limit_leaves);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		printf("# %s is left behind\n", dir);
	DONE();
}
