/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of the files that a task maps, for its restorer: opened and validated once by the process that maps them, or
 * by one that it descends from.
 */
#pragma once
#include "run/restore.h"

/* In the task: a descriptor for the mapping @v; one per file and access, however many mappings it has. Borrowed. */
int mapped_file(struct restore *r, const VmaEntry *v, int *ret_fd);
/* The same for the executable of @mm, after its mappings: what it maps is not opened again. Gives the descriptor. */
int mapped_executable(struct restore *r, const MmEntry *mm);
/* Opens what @rt maps before it forks, so that its descendants find it open. */
int mapped_files_before_fork(struct restore *r, const struct restore_task *rt);
