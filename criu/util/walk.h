/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Resolves a path like the kernel, one component at a time, with a callback that checks each of them: for a process
 * with more rights than the users who could have manipulated the path.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

/* One step: @name in the directory @dir. */
struct walk_step {
	int dir; /* O_PATH */
	const struct stat *dir_st;
	const char *name;
	int fd; /* O_PATH | O_NOFOLLOW of the file with that name; -1: missing last component */
	const struct stat *st; /* of @fd */
};

struct walk {
	int root; /* root for absolute paths and links, which ".." does not leave; AT_FDCWD: / */
	bool follow_last;
	/* Called for each step (".." is passed as "." of the parent directory); a negative errno ends the walk. */
	int (*judge)(void *arg, const struct walk_step *step);
	void *arg;
	/* The last step: a directory (O_PATH) and a name in it. */
	int dir;
	char name[NAME_MAX + 1];
};

void walk_free(struct walk *w);
#define _cleanup_walk_ __attribute__((cleanup(walk_free)))

/*
 * Returns an O_PATH descriptor of @path, relative to the directory @from. -ENOENT with w->dir set: only the last
 * component is missing. -ELOOP: too many links.
 */
int walk_path(struct walk *w, int from, const char *path);
