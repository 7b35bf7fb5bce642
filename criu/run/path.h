/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of a tree. Images and the kernel name a file by its mount and a path from the root of that mount's namespace on; a
 * run has one root for each mount namespace. Today there is one: that of the tool, or the directory of --root. Nothing here
 * logs, and nothing checks rights: whoever opens for a task goes by run/names.h, which stands on this.
 */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct path_roots {
	int root; /* a directory; AT_FDCWD: the root of this process, where paths are looked up as they are */
};
/* What belongs to the tool itself, or to the machine: not to the tree. */
#define PATH_OWN ((struct path_roots){ AT_FDCWD })
/* A mount that nobody has told: that of the root. */
#define PATH_ROOT_MOUNT (-1)

/* Where to look up what: @path of a file on mount @mnt_id. */
struct path_from {
	int dir; /* as path_roots.root; what @path leads to stays below it */
	const char *path;
};
struct path_from path_from(const struct path_roots *roots, int mnt_id, const char *path);

/* A descriptor (O_CLOEXEC) or a negative errno. Nothing is created; @flags that belong to that are for the caller to drop. */
int path_open(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags);
/* The same, with RESOLVE_* of openat2(2) on the way; unknown flags are dropped. */
int path_open_resolving(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags, uint64_t resolve);
/* NULL with errno. */
DIR *path_opendir(const struct path_roots *roots, int mnt_id, const char *path);
/* Of a link itself without @follow. 0 or a negative errno. */
int path_stat(const struct path_roots *roots, int mnt_id, const char *path, bool follow, struct stat *ret);
/* Make it the working directory. */
int path_chdir(const struct path_roots *roots, int mnt_id, const char *path);
