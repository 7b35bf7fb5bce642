/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types of file systems that are created again: one row of fs_types.c each. What is not a row comes from outside the
 * tree: the root of the namespace, external mounts, and bind mounts of them.
 *
 * To add the content of a type: a file fs_NAME.c with a struct fs_type, declared here, and a row instead of the simple
 * one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "kinds/ns/mnt/mount.h"

struct dump;
struct ns;
struct restore;

struct fs_type {
	const char *name; /* of fsopen(2) and mountinfo, without subtype */
	uint32_t number; /* enum fstype of mnt.proto; FSTYPE__AUTO for those without one: with fsname */
	bool of_pid_ns; /* its content is that of the pid namespace of the process that creates it */
	bool of_first; /* the first process of the tree creates it: it refers to one in its pid namespace */
	bool is_file; /* its root is no directory */
	bool single; /* the kernel has one, or one for each namespace of the creator: it has no content of its own */
	unsigned shows; /* BIT(enum ns_type): the kernel has one for each namespace of that type, of the creator */
	bool no_options; /* those that mountinfo shows would change the kernel's only one */
	bool options_of_host; /* creating one in the initial namespace sets the options of the kernel's only one */
	bool of_host; /* the one that it has, in whatever namespace: flags of it would change the host's, too */
	const char *refused; /* why it cannot be created again, for messages; NULL: it can */
	/* Options that mountinfo shows, and that creating one does not accept. NULL-terminated; NULL: there are none. */
	const char *const *not_options;
	/*
	 * All hooks are optional, and called once for each file system, whatever number of mounts it has. @dir_fd: its
	 * root directory, opened for reading, without the mounts on it. They run in the mount namespace (and for a restore in the
	 * other namespaces of the same task), with the memory and descriptors of the tool.
	 *
	 * Dump: what of it cannot be saved is a blocker: mount_blocker(dump, "mount %s ...", MOUNT_NAME(mount)). Called before
	 * the first file is saved. Must not change anything.
	 */
	int (*survey)(struct dump *, const struct ns *, struct mount *, int dir_fd);
	/* Dump: before its root directory is opened, in the tool's memory: 1 if that may block (a blocker has been added), 0, -errno. */
	int (*blocks)(struct dump *, const struct ns *, const struct mount *);
	/* Dump: writes its images. After all files: their temporary names are there. Not for `criu check`. */
	int (*save)(struct dump *, const struct ns *, struct mount *, int dir_fd);
	/* Restore: reads and checks its images, sets @mount->fs->data; no side effect. */
	int (*load)(struct restore *, const struct ns *, struct mount *);
	/*
	 * For a type whose mounts are not copies of each other (all are set, or none): the same for each of them. Restore:
	 * in the tool, before any namespace exists; in the first process of the tree: a detached mount.
	 */
	void (*survey_each)(struct dump *, struct mount *);
	int (*load_each)(struct restore *, const struct ns *, struct mount *);
	int (*prepare_each)(struct restore *, struct mount *);
	int (*open_each)(struct restore *, const struct mount *);
	/*
	 * Restore: for a type that is created from other directories of the tree, when these are mounted. All are set, or
	 * none. Can it be created now (1) or not yet (0)? The options; what to say if it can never be. They log.
	 */
	int (*is_ready)(struct restore *, const struct mount *);
	int (*options)(struct restore *, const struct mount *, char **ret);
	int (*refuse)(const struct mount *);
	/* Restore: instead of creating it from its options: a detached mount of it. */
	int (*create)(struct restore *, const struct mount *);
	/*
	 * Restore: it has just been created, with its options, and is not visible to anybody. Nothing is mounted on it: mount
	 * points that its content lacks are created later. Failure removes all of it.
	 */
	int (*fill)(struct restore *, const struct ns *, struct mount *, int dir_fd);
};

/* A type that --enable-fs names: it is mounted again, from the source and with the options of the images. */
extern const struct fs_type fs_type_enabled;
extern const struct fs_type fs_type_devpts; /* fs_devpts.c */
extern const struct fs_type fs_type_autofs; /* fs_autofs.c */
/* NULL: there is no row. @fstype: of mountinfo; a subtype (fuse.sshfs) is ignored. */
const struct fs_type *fs_type_by_name(const char *fstype);
/* Of a record. */
const struct fs_type *fs_type_of_entry(const MntEntry *entry);
