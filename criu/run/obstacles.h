/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Obstacles to a restore on this host, for criu check -D: whatever would be an error of a restore is one of them, and the
 * check goes on. As all errors are logged, with their reason and what to do, nothing else has to report them: the log passes
 * them on (log_divert).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct restore;
struct restore_task;
struct file;

struct obstacle {
	pid_t pid; /* in the images; 0: not about a single process */
	const char *comm; /* NULL: unknown */
	int fd; /* -1: not about a descriptor */
	const char *kind; /* "regular", "inet", ...; NULL: none */
	const char *path; /* of a file; NULL: none */
	const struct file *file; /* NULL: it is not about one */
	const char *text;
};

struct obstacles {
	void (*report)(void *arg, const struct obstacle *);
	void *arg;
	struct obstacle about; /* what is being checked */
	size_t nr;
	bool incomplete; /* what comes after a step that failed could not be checked */
};

/*
 * The result of a step of which others do not depend: @err, but 0 in a check, which notes that it is incomplete; a check ends only
 * for lack of memory.
 */
int restore_continues(struct restore *r, int err);
/* What the next errors are about: in a check; no effect otherwise. NULL: nothing in particular. */
void restore_is_about(struct restore *r, const char *kind, const struct restore_task *task, const struct file *file);
/* Are paths of the tree those of this process, or below --root? Otherwise they lead somewhere only when its mounts exist. */
bool restore_paths_exist(struct restore *r);
