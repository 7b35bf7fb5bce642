/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files that save mounts that are attached nowhere. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "kernel/id_map.h"
#include "kernel/mountinfo.h"
#include "kinds/fd/record_table.h"
#include "regfile.pb-c.h"
#include "util/array.h"

struct dump;
struct dump_task;
struct statx;
struct subject;

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

/* A file on a mount. */
struct noted {
	struct noted *next;
	struct dump_task *task;
	int fd;
	const char *link, *hint;
	dev_t dev;
	ino_t ino;
};

struct detached {
	struct record record; /* 0, its id */
	int mnt_id;
	struct detached *top; /* it is mounted in this one, with which it is saved; NULL: nowhere */
	bool alive; /* it has a keeper, maybe outside of the tree */
	bool kept; /* by the tree */
	bool saved; /* with the content of its file system, with the keeper */
	bool is_proc; /* of its own; only its root can be saved */
	dev_t saved_dev; /* of these: that has been done; 0: it has not */
	struct noted *files;
	struct dump_task *keeper; /* NULL: not found yet */
	int keeper_fd;
	bool refused; /* a file on it */
};

/* detached_find.c: the mount of a file, NULL: an error, which is logged. */
struct detached *detached_find(struct dump *dump, const struct subject *s, int mnt_id);
/* Of the tree, or where this program is: 1, 0, or a negative errno. */
int detached_is_mounted(const struct dump *dump, const struct dump_task *task, int mnt_id);
/* May this descriptor, with these flags, be the keeper of its mount? Those of openat(fd, "", O_PATH) look the same. */
bool detached_may_keep(unsigned flags, const struct stat *st, const char *link, const struct statx *sx);

/* detached_copy.c: one with all that are mounted in it, as its copy shows it. */
struct detached_copy {
	int local; /* a descriptor on it */
	bool read; /* shall it be attached, to read these? */
	int mnt_id;
	struct mountinfo mounts;
	bool idmapped;
	int maps_err; /* why the kernel does not tell: */
	struct id_map uids, gids;
	int root; /* of a directory: opened to be read, without changing access times; -1: it could not be */
};
#define DETACHED_COPY(fd) ((struct detached_copy){ .local = (fd), .root = -1 })

/* 0 or a negative errno, not logged. To be freed in any case. */
int detached_copy_make(const struct dump_task *task, struct detached_copy *copy);
void detached_copy_free(struct detached_copy *copy);
/* The mounts in it, parents first, itself first of all. 0 or -ENOMEM, not logged. */
ARRAY_OF(detached_parts, const struct mount_info *);
int detached_copy_parts(const struct detached_copy *copy, struct detached_parts *ret);

/* detached_save.c: does it show a file system that no other mount does, and that is saved with it? 1, 0, or a negative errno. */
int detached_is_own_fs(const struct dump *dump, const struct mount_info *is);

/* detached_source.c: how a part of it is made again, as a copy of an attached mount. */
struct detached_part {
	uint32_t source_id; /* of the file or directory that it is a copy of */
	uint64_t attributes;
	int propagation; /* for mount_setattr(2); 0: that of the source */
	bool has_parts; /* input: others are mounted on it, so that it may not get peers */
	const char *why; /* it cannot be; NULL: it can */
};
/* @s: its root. */
int detached_find_source(struct dump *dump, const struct subject *s, const struct mount_info *is,
			 struct detached_part *ret);
/* False: there is an option that mount_setattr(2) cannot set; that it is idmapped is not one. */
bool detached_attributes(const char *options, uint64_t *ret);
bool detached_is_idmapped(const struct mount_info *is);
