/* SPDX-License-Identifier: GPL-2.0-only */
/* What inotify and fanotify have in common: inodes that are watched, and events that nobody has read yet. */
#pragma once
#include "fh.pb-c.h"
#include "fown.pb-c.h"
#include "kernel/fdinfo.h"
#include "run/dump.h"
#include "run/restore.h"

struct watched {
	uint64_t ino;
	uint32_t sdev; /* kdev_make() */
	const struct fdinfo_handle *handle; /* NULL: the file system has none */
};

/* Bytes of events wait in the queue: no way to put them back, so a blocker, or a warning with --skip-events. */
void watched_events(struct dump *dump, const struct fd_probe *probe, const char *kind);
/*
 * Its record. Where no path leads to the inode and it has no name any more, *ret_holder is a descriptor of the tree that
 * is on it; where there is none either, *ret_lost is set: the caller reports the blocker. Both are NULL/false otherwise.
 */
int watched_save(struct dump *dump, const struct watched *watched, FhEntry **ret_fh, const struct fd_probe **ret_holder,
		 bool *ret_lost);
/* Is the path of a mount the way to that very mount, and not covered by another one? */
bool watched_mount_is(const struct dump *dump, const char *path, int mnt_id);

int watched_check(const struct file *file, const FhEntry *fh);
/* An inode that an image says was watched. */
struct watched_inode {
	const struct audience *to; /* who get the watch */
	const FhEntry *fh;
	uint64_t ino;
	uint32_t sdev;
	bool has_file_id;
	uint32_t file_id;
};
/*
 * In a task: a descriptor of the inode; of file @file_id if @has_file_id. *ret_borrowed as of restore_borrow_fd(). What
 * the handle does not prove to be that inode is only found where those in @to, who get the watch, may read it.
 */
int watched_find(struct restore *r, const struct watched_inode *inode, bool *ret_borrowed);
/* In the tool, when every task waits to run: the events that restoring itself has caused are taken out again. @each
 * (optional) is told what was read. */
int watched_drop_events(struct restore *r, const struct file *file, void (*each)(const void *buf, size_t len));
