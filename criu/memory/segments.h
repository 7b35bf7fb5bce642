/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared segments. A restore creates and fills them in the tool, before the tree is forked, and every task inherits
 * them: r->segment_fds maps segment_key() to a descriptor at or above service_base, from in_namespaces on.
 */
#pragma once
#include "ipc-shm.pb-c.h"
#include "run/kind.h"

struct dump;
struct ns;

extern const struct run_kind segments_run;

/*
 * Dump: a segment of an IPC namespace that is not the tool's; @fd: its memory, copied; -1: only its blockers are wanted.
 * Its content is saved with that of all segments, its record by the caller.
 */
int shmem_note_of_ns(struct dump *dump, const struct ns *ns, int id, uint64_t size, int fd);
/*
 * Restore, in the namespace of a segment that has been created: fills it, and marks it for removal if it was. Until the
 * tasks have attached it, the tool holds it.
 */
int segment_fill_sysv(struct restore *r, const IpcShmEntry *e);
/* The same: locks it (SHM_LOCK) if it was. */
int segment_lock_sysv(const IpcDescEntry *desc);
