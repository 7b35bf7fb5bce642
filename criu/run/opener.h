/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As whom a restore goes by names. The tool may have more rights than the tasks that it restores; somebody who may
 * change what a path leads to must not get with our rights what he could not open himself. So whatever is opened, made
 * or removed by a name is that with the rights of those who get it: run/names.h.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file;
struct restore;
struct restore_task;

/* Those rights of a task that files are opened with. Tasks of the same rights share one. */
struct opener {
	uid_t fsuid;
	gid_t fsgid;
	uint64_t caps; /* of ours, those that it may use */
	const uint32_t *groups;
	size_t nr_groups;
	struct opener *next;
};

/* Everybody who gets something. NULL stands for those who have all the rights that we have: nothing is to be checked. */
struct audience {
	size_t n; /* at least 1 */
	const struct opener *openers[];
};

/* After link: who gets what. No side effect. */
int openers_link(struct restore *r);
/* Of what is to be opened now: by a kind's open, or by restore_open_file(). */
const struct audience *opened_for(const struct restore *r);
/* Of a file of the images: of all who have it as a descriptor; of all tasks, when it is in flight, or nobody has it. */
const struct audience *audience_of_file(const struct restore *r, const struct file *file);
const struct audience *audience_of_task(const struct restore *r, const struct restore_task *rt);
/* Of what is made for several tasks. */
const struct audience *audience_of_all(const struct restore *r);

/* This thread takes on the rights of @opener (NULL: its own again). Nothing happens when it has them already. */
int opener_enter(struct restore *r, const struct opener *opener);
void opener_leave(struct restore *r);
/* Whose the files are that this thread makes now. */
uid_t opener_uid(void);
