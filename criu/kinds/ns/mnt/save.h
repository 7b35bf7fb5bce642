/* SPDX-License-Identifier: GPL-2.0-only */
/* A dump of mount namespaces. */
#pragma once
#include "kernel/mountinfo.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"

/* kind_data of a dump */
struct mount_dump {
	struct mount_run run; /* first */
	struct mountinfo host; /* of the tool's own mount namespace */
	bool host_read;
};
struct mount_dump *mount_dump_data(struct dump *dump);

/*
 * Root of a user namespace may not show what is below the mounts that it was given, so it cannot copy one of them without
 * the others: a blocker, if the restore would have to; if it may be meant to happen @outside, a warning.
 */
void mount_check_copies(struct dump *dump, const struct mounts *m, bool outside);
/*
 * host.c. The path, in the tool's mount namespace, of what @info shows; NULL: it is not there, or (*ret_hidden) no path
 * leads to it. *ret_err: logged.
 */
const char *mount_on_host(struct dump *dump, const struct mount_info *info, bool *ret_hidden, int *ret_err);
/* Is the root of this mount namespace the tool's own root directory? */
bool mount_is_host_root(struct dump *dump, const struct mount_info *root, int *ret_err);
/* Has a mount of the tool's namespace this peer group? */
bool mount_group_on_host(struct dump *dump, int group, int *ret_err);
/* Notes what it has in common with the host; then, of all known: can a restore give it its master? */
int mount_note_groups(struct dump *dump, struct mount *mount);
void mount_check_master(struct dump *dump, const struct mount *mount);
/* Warns of namespaces of the tree that are bound to files there (ip netns): they outlive the tree. */
int mount_check_bound(struct dump *dump);
/* The mounts of the tool are read when they are first needed. */
void mount_forget_host(struct dump *dump);

/* record.c: fills mount->entry. */
int mount_fill_entry(struct dump *dump, struct mount *mount);
/* Reports what of it cannot be saved. Not for one that comes from outside. */
void mount_check_entry(struct dump *dump, const struct mount *mount);

/*
 * shown.c: which namespace of @type @mount shows, for its record. 1: it has been found, 0: it is none of the tree's, or a
 * negative errno.
 */
int mount_find_shown(struct dump *dump, struct mount *mount, enum ns_type type);
/* The same for proc and its pid namespace. 0: it shows none of the tree's, one without a first process, or it is not known. */
int mount_find_shown_pid_ns(struct dump *dump, struct mount *mount);

/* survey.c: reads the mounts of all namespaces, and reports what cannot be saved. */
int mounts_survey(struct dump *dump);
/* outer_groups.c: reports mounts that are shared with namespaces which neither the tree nor the tool is in. */
int mounts_check_outer_groups(struct dump *dump);
/* save.c: in the namespace. */
int mounts_survey_content(struct dump *dump, struct ns *ns);
int mounts_save(struct dump *dump, struct ns *ns);
