/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that a restore creates in file systems from outside (mount points that are missing), and that have to go if it
 * fails, or the tool is killed: a helper process waits for that. It exists only if there may be such names. It removes
 * them through mounts of its own, which are not read-only when those of the tree are. Functions log their errors.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct mount;
struct mount_undo;
struct restore;

/* The number of names that a removed file may get for a while: removed.c */
#define MOUNT_REMOVED_NAMES 3

/* In the tool, when all sources are open: starts the helper if a mount point is missing. */
int mount_undo_prepare(struct restore *r);
/*
 * Before a name is created: @path, relative to the root directory of @mount. @ret_note: for mount_undo_drop(); 0: it does
 * not have to be removed, as its file system is new.
 */
int mount_undo_note(struct restore *r, const struct mount *mount, const char *path, bool is_dir, size_t *ret_note);
/* It was not created, or is gone. */
void mount_undo_drop(struct restore *r, size_t note);
/* @remove: the restore has failed. */
void mount_undo_end(struct restore *r, bool remove);
