/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by inotify and fanotify: watched inodes, and unread events. */
#pragma once
#include "fh.pb-c.h"
#include "fown.pb-c.h"
#include "kernel/fdinfo.h"
#include "run/dump.h"
#include "run/restore.h"

struct watched {
	uint64_t ino;
	uint32_t sdev; /* kdev_make() */
	const struct fdinfo_handle *handle; /* NULL: not supported by the file system */
};

/* Unread events are queued: they cannot be requeued, so this is a blocker, or a warning with --skip-events. */
void watched_events(struct dump *dump, const struct fd_probe *probe, const char *kind);
/*
 * Builds its record. If the inode has no path since it is unlinked, *ret_holder is a descriptor of the tree that refers
 * to it; if there is none, *ret_lost is set: the caller reports the blocker. Both are NULL/false otherwise.
 */
int watched_save(struct dump *dump, const struct watched *watched, FhEntry **ret_fh, const struct fd_probe **ret_holder,
		 bool *ret_lost);
/* Does the path of a mount refer to that very mount, which is not covered by another one? */
bool watched_mount_is(const struct dump *dump, const char *path, int mnt_id);

/* Is its record valid? */
int watched_load(const struct file *file, const FhEntry *fh);
/* A watched inode, as in an image. */
struct watched_inode {
	const struct audience *to; /* who gets the watch */
	const FhEntry *fh;
	uint64_t ino;
	uint32_t sdev;
	bool has_file_id;
	uint32_t file_id;
};
/*
 * In a task: a descriptor of the inode; of file @file_id if @has_file_id. *ret_borrowed as in restore_borrow_fd(). An
 * inode not proven by its handle to be the right one is only found if those in @to, who get the watch, may read it.
 */
int watched_find(struct restore *r, const struct watched_inode *inode, bool *ret_borrowed);
/* For struct fd_kind: would watched_find() find it on this host? */
int watched_check_here(struct restore *r, const struct watched_inode *inode);
/*
 * In the tool, when every task waits to run: removes the events that the restore itself has caused. @each (optional) is
 * called with the data read.
 */
int watched_drop_events(struct restore *r, const struct file *file, void (*each)(const void *buf, size_t len));
