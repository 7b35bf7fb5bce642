/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroup hierarchies that the tool is in, and their directories. They are reached through --cgroup-yard, or a mount
 * of the whole hierarchy that exists already: closing a mount of our own takes longer than all that is done with it. Otherwise
 * through detached mounts, which nobody else can see. cgroups(7), fsmount(2)
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct options;

struct cg_hierarchy {
	const char *name; /* controllers ("cpu,cpuacct"), "name=systemd"; "": version 2 */
	const char *path; /* of the tool's own group, starts with a slash; its cgroup namespace is the root */
	int root; /* its directory; -1: not opened */
};

struct cg_hierarchies {
	struct cg_hierarchy *v;
	size_t n;
	bool mounted_opened; /* those that are mounted have been opened */
};

/* From a text like that of /proc/PID/cgroup. -EBADMSG, -ENOMEM; not logged. Strings are in the arena. */
int cg_hierarchies_parse(const char *text, size_t len, struct arena *arena, struct cg_hierarchies *ret);
/* By a name that may have several controllers, in any order; NULL if there is none. */
struct cg_hierarchy *cg_hierarchy_find(const struct cg_hierarchies *all, const char *name);
/* The one that limits memory; NULL: none. That of version 2 may lack the controller. */
struct cg_hierarchy *cg_hierarchy_of_memory(const struct cg_hierarchies *all);
static inline bool cg_is_v2(const struct cg_hierarchy *h)
{
	return !*h->name;
}
/* "cgroup 2", or its controllers */
const char *cg_hierarchy_title(const struct cg_hierarchy *h);
/* Opens the root directory of one of @all, at @min_fd or above, unless it is open. Logs errors. */
int cg_hierarchy_open(struct cg_hierarchies *all, struct cg_hierarchy *h, const struct options *opts, int min_fd);
/* The same without a message; with --manage-cgroups=ignore only if it is mounted already. */
int cg_hierarchy_find_open(struct cg_hierarchies *all, struct cg_hierarchy *h, const struct options *opts);
/* The same, only if the whole hierarchy is mounted somewhere already: -ENOENT. */
int cg_hierarchy_find_mounted(struct cg_hierarchies *all, struct cg_hierarchy *h);
void cg_hierarchies_close(struct cg_hierarchies *all);

/* A path in a hierarchy for openat(2): without the first slash, "." for the root. */
static inline const char *cg_below_root(const char *path)
{
	return path[1] ? path + 1 : ".";
}
/* Is @path the group @above, or below it? Both start with a slash. */
bool cg_is_below(const char *path, const char *above);
/* The length of the longest path that both are below: 0 for the root. */
size_t cg_common_length(const char *a, const char *b);
