/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore of mount namespaces. Functions log their errors. */
#pragma once
#include "kinds/ns/mnt/mount.h"
#include "run/restore.h"

struct mount_point;

/* kind_data of a restore */
struct mount_restore {
	struct mount_run run; /* first */
	struct mount_point *made; /* points.c: mount points that were missing */
};
struct mount_restore *mount_restore_data(struct restore *r);

/* load.c: reads and checks mountpoints-N.img. */
int mounts_load(struct restore *r, struct ns *ns);

/* create.c: a detached mount of a new file system, with nothing in it, with the options of @mount; or -errno. */
int mount_create_fs(const struct mount *mount);
/* Makes it read-only if it was. */
int mount_settle_fs(const struct mount *mount);

/* source.c: a detached copy of the mount, or directory, in the mount namespace of the tool that @mount comes from; or -errno. */
int mount_open_source(struct restore *r, const struct mount *mount);

/*
 * points.c. Opens @path below the directory @dir; it must not lead out of it, or across other mounts. A missing one is
 * created: as a directory, or (@is_dir false) as a file.
 */
int mount_point_open(struct restore *r, int dir, const char *path, bool is_dir);
/* After a failure: removes those that were created; otherwise closes the descriptors. */
void mount_points_end(struct restore *r, bool remove);

/* build.c: in the new mount namespace, a copy of the tool's: creates everything that does not need the pid namespace. */
int mounts_build(struct restore *r, struct ns *ns);
/* In the first process in it: the rest. */
int mounts_finish(struct restore *r, struct ns *ns);

/* In the tool, and in that process: closes what both of them needed. */
void mounts_close(struct restore *r);

/*
 * clone.c: opens what comes from outside, in the tool. In a namespace that a user namespace owns, mounts of the host can
 * neither be copied nor opened.
 */
int mounts_open_sources(struct restore *r, struct mounts *m);
/* The file systems of @m, deferred ones or the others, and a detached mount for each of its mounts. */
int mounts_clone(struct restore *r, const struct ns *ns, struct mounts *m, bool deferred);

/* Attaches a detached mount to the root directory of this process. Not logged. */
int mount_attach_to_root(int fd);
/* Afterwards: unmounts what had to be attached to the root for that. */
int mounts_detach_origins(const struct mounts *m);

/* groups.c: peer groups, masters. All are attached, and private. */
int mounts_set_groups(const struct mounts *m);
