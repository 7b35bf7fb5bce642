/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of a tree. Images and the kernel identify a file by its mount and a path from the root of that mount's
 * namespace; a run has one root for each mount namespace. Nothing here logs or checks rights: to open files for a task
 * use run/names.h, which is based on this.
 */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct hash;
struct mount_info;
struct mountinfo;

struct path_roots {
	/* Of the root task's namespace. A directory; AT_FDCWD: the root of this process, where paths are looked up unchanged */
	int root;
	/* For several mount namespaces: mount id -> the same for the namespace of that mount. NULL: @root for all. */
	const struct hash *by_mount;
	int inside; /* the one in @by_mount that is the root of this process */
	/*
	 * The mounts, if lookups may wait for an automounter, which may be frozen: those fail (-EDEADLK). NULL: none may.
	 * The id of the namespace of @root in it.
	 */
	const struct mountinfo *may_wait;
	uint32_t ns;
};
/* For paths of the tool itself, or of the machine: not of the tree. */
#define PATH_OWN ((struct path_roots){ AT_FDCWD, NULL, AT_FDCWD, NULL, 0 })
/* Unknown mount: that of the root. */
#define PATH_ROOT_MOUNT (-1)

/* Where to look up @path of a file on mount @mnt_id. */
struct path_from {
	int dir; /* as path_roots.root; the lookup stays below it */
	const char *path;
};
struct path_from path_from(const struct path_roots *roots, int mnt_id, const char *path);

/*
 * The autofs mount whose daemon the lookup may wait for, although the file is on another mount (which is covered then), or is a place
 * where something is to be mounted. NULL: it does not.
 */
const struct mount_info *path_waits(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags);

/*
 * A descriptor (O_CLOEXEC) or a negative errno. Nothing is created; the caller must remove creation flags from @flags.
 */
int path_open(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags);
/* The same, with RESOLVE_* of openat2(2); unknown flags are removed. */
int path_open_resolving(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags, uint64_t resolve);
/* NULL with errno. */
DIR *path_opendir(const struct path_roots *roots, int mnt_id, const char *path);
/* Without @follow, of a link itself. 0 or a negative errno. */
int path_stat(const struct path_roots *roots, int mnt_id, const char *path, bool follow, struct stat *ret);
/* Changes the working directory. */
int path_chdir(const struct path_roots *roots, int mnt_id, const char *path);
