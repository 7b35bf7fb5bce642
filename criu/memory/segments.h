/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared segments. A restore creates and fills them in the tool, before the tree is forked, and every task inherits
 * them (System V segments: sysv.h): r->segment_fds maps segment_key() to a descriptor at or above service_base, from in_namespaces on.
 */
#pragma once
#include "run/kind.h"

struct dump;
struct ns;

extern const struct run_kind segments_run;

/*
 * Dump: a segment of an IPC namespace that is not the tool's; @what.fd: its memory, copied; -1: only its blockers are wanted.
 * Its content is saved with that of all segments, its record by the caller.
 */
struct ns_segment {
	int id, fd;
	uint64_t size;
	uint32_t huge; /* SHMEM_HUGE_BITS */
};
int shmem_note_of_ns(struct dump *dump, const struct ns *ns, const struct ns_segment *what);
