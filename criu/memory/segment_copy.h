/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared memory that cannot be opened (map_files takes rights in the initial user namespace) is read where processes have
 * it mapped. If there is more of it than that, which a process could see again with mremap(2), it is refused.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct dump;
struct dump_task;

/* A part of a segment, mapped by @dt at @start. */
struct segment_piece {
	struct segment_piece *next;
	const struct dump_task *dt;
	uint64_t start, from, to; /* offsets in the segment */
	bool huge; /* of huge pages */
};

/* Adds a part, unless another one contains it. 0 or a logged error. */
int segment_piece_add(struct dump *dump, struct segment_piece **pieces, const struct segment_piece *add);
/*
 * A file in memory with the content of a segment of @size bytes, 0: its size is not known, and it
 * ends where the last piece does. To be closed by the caller; a negative errno, logged.
 */
int segment_copy(const struct segment_piece *pieces, uint64_t size);
