/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore of mount namespaces. Functions log their errors. */
#pragma once
#include "kinds/ns/mnt/mount.h"
#include "run/restore.h"

struct autofs_numbers;
struct mount_removed;
struct mount_undo;

/* kind_data of a restore */
struct mount_restore {
	struct mount_run run; /* first */
	bool cloned; /* what need not wait for the pid namespace, for all mount namespaces */
	struct mount_removed *removed; /* removed.c */
	struct autofs_numbers *autofs; /* autofs.h; NULL: there is none */
	struct mount_undo *undo; /* NULL: nothing that the tree has from outside has to be removed after a failure */
};
/* restore_data.c */
struct mount_restore *mount_restore_data(struct restore *r);
/* Does --enable-fs name it? */
bool mount_type_is_enabled(const struct restore *r, const char *type);

/* load.c: reads mountpoints-N.img. */
int mounts_load(struct restore *r, struct ns *ns);
/* Checks those of all namespaces together. */
int mounts_check(struct restore *r);
/* SELinux labels all files of a file system that has such an option. */
int mount_check_labels(struct restore *r, struct mount *mount);

/* visit.c: changes of mounts that are attached are made by a process in their namespace. */
struct mount_visit {
	const struct ns *at; /* the mount namespace that this process is in */
};
int mount_visit_ns(struct mount_visit *visit, const struct ns *ns);

/*
 * create.c: a detached mount of a new file system, with nothing in it, or -errno. @options: in the format of mountinfo;
 * NULL: those of @mount.
 */
int mount_create_fs(const struct mount *mount, const char *options);
/* Makes it read-only if it was; sets its limit of inodes. */
int mount_settle_fs(const struct mount *mount);

/* The namespaces that it shows do not exist until the first task does. */
bool mount_waits(const struct mount *mount);

/* shown_load.c: sets mount->fs->shown. */
int mount_load_shown(struct restore *r, struct mount *mount);
/* Does it show a pid namespace nested in that of the root, or a file of a process? */
bool mount_shows_nested(const struct mount *mount);
/*
 * Another mount of the file system of @like, if the kernel has only one for each namespace of the creator: with the source of the
 * images, where a copy has that of @like. A descriptor; -EINVAL: it is none of these; another negative errno: not logged.
 */
int mount_create_again(const struct mount *mount, int like);
/* mount_create_fs() in the namespace that it shows. */
int mount_create_shown(struct restore *r, const struct mount *mount, const char *options);

/* source.c: a detached copy of the mount, or directory, in the mount namespace of the tool that @mount comes from; or -errno. */
int mount_open_source(struct restore *r, const struct mount *mount);
/* The same, of a peer of a mount of the host, with that group: nothing may be mounted on it. */
int mount_open_peer(struct restore *r, const struct mount *mount);

/* build.c: in the new mount namespace, a copy of the tool's: creates everything that does not need the pid namespace. */
int mounts_build(struct restore *r, struct ns *ns);
/* In the first process of the tree: the rest, in all namespaces; if there are nested pid namespaces: when all of them exist. */
int mounts_finish(struct restore *r);
int mounts_finish_nested(struct restore *r);

/* In the tool, and in that process: closes what both of them needed. */
void mounts_close(struct restore *r);

/*
 * clone.c: opens what comes from outside, in the tool. In a namespace that a user namespace owns, mounts of the host can
 * neither be copied nor opened.
 */
int mounts_open_sources(struct restore *r);
/* Mounts that are copies of them. */
int mounts_copy_sources(struct restore *r);
/* When a file system can be created: before there are tasks, from others of the tree, in the first task, when all tasks exist. */
enum mount_phase { MOUNTS_FIRST, MOUNTS_LATE, MOUNTS_DEFERRED, MOUNTS_NESTED };
/*
 * All file systems of the phase, and a detached mount for each of their mounts, of all namespaces: what is attached in one cannot
 * be copied in another.
 */
int mounts_clone(struct restore *r, enum mount_phase phase);

/* Is its file system created from others of the tree, when these are attached? Then its mounts, of all namespaces, are made by: */
bool mount_is_late(const struct mount *mount);
int mount_clone_late(struct restore *r, struct mount *mount);

/* Attaches a detached mount to the root directory of this process. Not logged. */
int mount_attach_to_root(int fd);
/* Afterwards: unmounts what had to be attached to the root for that. */
int mounts_detach_origins(struct restore *r);

/* groups.c: peer groups, masters, of all namespaces. All are attached, and private. */
int mounts_set_groups(struct mount_visit *visit, const struct ns_set *namespaces);
/* criu check -D: are those that come from outside there? Logs each that is not. source.c */
int mounts_check_sources(struct restore *r);
