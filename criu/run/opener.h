/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rights with which a restore uses paths. The tool may have more rights than the tasks that it restores; a user who
 * may change what a path leads to must not get through our rights what he could not open himself. So files are opened,
 * created and removed by name with the rights of the tasks that get them: run/names.h.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file;
struct restore;
struct restore_task;

/* The rights of a task that affect access to files. Tasks with the same rights share one. */
struct opener {
	uid_t fsuid;
	gid_t fsgid;
	uint64_t caps; /* those of ours that it has */
	const uint32_t *groups;
	size_t nr_groups;
	struct opener *next;
};

/* The rights of all tasks that get a file. NULL: they have all of our rights, and nothing is checked. */
struct audience {
	size_t n; /* at least 1 */
	const struct opener *openers[];
};

/* Called after link: finds the audience of each file. No side effects. */
int openers_link(struct restore *r);
/* The audience of the file that is being opened, by a kind's open or by restore_open_file(). */
const struct audience *opened_for(const struct restore *r);
/*
 * Of a file in the images: all tasks that have it as a descriptor; all tasks of the tree if it is in flight, or no task
 * has it.
 */
const struct audience *audience_of_file(const struct restore *r, const struct file *file);
const struct audience *audience_of_task(const struct restore *r, const struct restore_task *rt);
/* For what is created for several tasks. */
const struct audience *audience_of_all(const struct restore *r);

/* This thread assumes the rights of @opener (NULL: its own again). No effect if it has them already. */
int opener_enter(struct restore *r, const struct opener *opener);
void opener_leave(struct restore *r);
/* The owner of files that this thread creates now. */
uid_t opener_uid(void);
