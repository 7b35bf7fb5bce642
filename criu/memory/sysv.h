/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System V segments: their records, and how they are restored, before the tree is forked. Tasks attach them by their ids
 * in the restorer. This is the kind of those in the tool's IPC namespace; others are the business of their namespace's.
 */
#pragma once
#include <sys/shm.h>
#include "ipc-shm.pb-c.h"
#include "run/kind.h"
#include "util/hash.h"

struct image_writer;

extern const struct run_kind sysv_run;

/* Dump: writes the record of a segment. @huge: SHMEM_HUGE_BITS */
int sysv_write(struct dump *dump, struct image_writer *img, int id, const struct shmid_ds *ds, uint32_t huge);
/* Restore: the length of a mapping of all of it. */
uint64_t sysv_mapped_size(const IpcShmEntry *e);
/* @ns: of ipcns-shm-@ns.img; @ids: of its segments so far. */
int sysv_check(uint32_t ns, const IpcShmEntry *e, struct hash *ids);
/*
 * In the namespace of a segment: creates it with its id, key, owner, creator and mode, locked (SHM_LOCK) if it
 * was; on failure nothing remains.
 */
int sysv_create(struct restore *r, const IpcShmEntry *e);
/* The next step: fills it, and marks it for removal if it was. Until the tasks have attached it, the tool holds it. */
int sysv_fill(struct restore *r, const IpcShmEntry *e);
