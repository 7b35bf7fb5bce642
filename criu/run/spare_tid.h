/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for threads that help a task to restore its memory. */
#pragma once
#include "run/restore.h"

/* Of the thread that the restorer starts for that. Others have @which from 1 on. */
#define SPARE_TID_READER 0

/* In the tool, when the tree is known. */
void restore_link_spare_tids(struct restore *r);
/*
 * A tid that is not in the images as a task, thread, group or session, in any pid namespace; different for each task and
 * @which, if there are so many. Another process may have it, and there may be no such pid here; 0: there is none.
 * From the largest one downwards: the kernel gives those after the last pid to processes, and other trees that are restored
 * meanwhile need the pids that they had.
 */
pid_t restore_spare_tid(const struct restore *r, const struct restore_task *rt, unsigned which);
