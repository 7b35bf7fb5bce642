/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vDSO of a restored task is that of the running kernel. If its layout is that of the image's, it is moved to the
 * saved address. Otherwise the image's is restored as plain memory, its functions overwritten by jumps to the real one,
 * which is placed where the tool found space. memory/vdso.c decides, the code here acts inside the task.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "pie/wire.h"

/* Ranges that must not be unmapped, ascending: returns how many, at most @room (WIRE_VDSO_PARTS is enough). */
static inline size_t vdso_reserved(const struct wire_task *task, struct wire_range *ret_ranges, size_t room)
{
	size_t nr = task->nr_vdso_parts < room ? task->nr_vdso_parts : room;

	for (size_t i = 0; i < nr; i++) {
		ret_ranges[i].start = task->vdso_parts[i].now;
		ret_ranges[i].end = task->vdso_parts[i].now + task->vdso_parts[i].len;
	}
	return nr;
}

/*
 * A mapping of the image that vdso_move puts in place: it is not mapped, and its pages are not read (cut them out of
 * longer runs). Every other one marked VMA_VDSO or VMA_VVAR is ordinary private anonymous memory, [vvar] all zero.
 */
static inline bool vdso_places(const struct wire_task *task, uint64_t start, uint64_t end)
{
	return start < task->vdso_placed.end && task->vdso_placed.start < end;
}

/*
 * Once everything but the reserved ranges is unmapped, before anything of the image is mapped. 0 or a negative errno.
 */
int vdso_move(const struct wire_task *task);
/* After the pages are loaded, before PR_SET_MDWE. 0 or a negative errno. */
int vdso_patch(const struct wire_task *task);
