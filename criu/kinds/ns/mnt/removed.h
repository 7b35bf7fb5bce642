/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bind mounts of files and directories that have no name any more. They are created again with one, since nothing else can be
 * mounted, and lose it when they are.
 */
#pragma once
struct dump;
struct mount;
struct mount_origin;
struct mounts;
struct ns;
struct restore;

/* Dump, in the namespace: reports what cannot be saved. */
int mounts_survey_removed(struct dump *dump, const struct ns *ns);
int mounts_save_removed(struct dump *dump, const struct ns *ns);

/* Restore: the file that @mount shows, in the mount of @origin (O_PATH); created if it is not there. Logs. */
int mount_open_removed(struct restore *r, const struct mount_origin *origin, const struct mount *mount);
/* All mounts are attached: removes the names. Logs. */
int mounts_unlink_removed(struct restore *r);
