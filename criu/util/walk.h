/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Along a path as the kernel would go, one component at a time, with somebody who judges each of them: for whoever has
 * more rights than those who could have put something in the way.
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
	int fd; /* O_PATH | O_NOFOLLOW of what has that name; -1: nothing has, and it is the last one */
	const struct stat *st; /* of @fd */
};

struct walk {
	int root; /* where absolute paths and links begin, and what ".." does not leave; AT_FDCWD: / */
	bool follow_last;
	/* Called for each step (".." is "." of the directory above); a negative errno ends the walk. */
	int (*judge)(void *arg, const struct walk_step *step);
	void *arg;
	/* Where the last step was made: a directory (O_PATH) and a name in it. */
	int dir;
	char name[NAME_MAX + 1];
};

void walk_free(struct walk *w);
#define _cleanup_walk_ __attribute__((cleanup(walk_free)))

/*
 * An O_PATH descriptor of what @path leads to, from the directory @from on when it is relative. -ENOENT with w->dir set:
 * only the last component is missing. -ELOOP: too many links.
 */
int walk_path(struct walk *w, int from, const char *path);
