/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of the files that a task maps, for its restorer: opened and validated once, by the process that maps them
 * or by one of its ancestors.
 */
#pragma once
#include "run/restore.h"

/* In the task: a descriptor for the mapping @v; one per file and access, however many mappings it has. Borrowed. */
int mapped_file(struct restore *r, const VmaEntry *v, int *ret_fd);
/*
 * The same for the executable of @mm, after its mappings: a file that is mapped is not opened again. Returns the
 * descriptor.
 */
int mapped_executable(struct restore *r, const MmEntry *mm);
/* Opens the files that @rt maps before it forks, so that its descendants inherit them. */
int mapped_files_before_fork(struct restore *r, const struct restore_task *rt);
