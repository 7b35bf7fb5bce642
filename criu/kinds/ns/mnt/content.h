/* SPDX-License-Identifier: GPL-2.0-only */
/* Hooks of struct fs_type, for types of file systems that have content. */
#pragma once

struct dump;
struct mount;
struct mountinfo;
struct ns;
struct restore;

/*
 * The user namespace that the mount namespace belongs to: a descriptor; -1: it is the tool's own. 0 or a negative errno,
 * which is logged.
 */
int mount_ns_owner_of(int mnt, int *ret_fd); /* of a descriptor; not logged */
int mount_ns_owner(const struct dump *dump, const struct ns *ns, int *ret_fd);

/* What may have been in any file, as an archive: tmpfs, ramfs, hugetlbfs. */
int content_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd);
int content_load(struct restore *r, const struct ns *ns, struct mount *mount);
int content_fill(struct restore *r, const struct ns *ns, struct mount *mount, int dir_fd);
/* Of one that is attached nowhere: the only mount of its file system. */
int content_fill_unattached(struct restore *r, const struct mount *mount, int dir_fd);

/* The same of what a mount shows that has no name any more: into, or out of, an empty directory; a file is FS_ARCHIVE_FILE in it. */
int content_save_removed(struct dump *dump, const struct ns *ns, struct mount *mount, int fd);
int content_fill_removed(struct restore *r, const struct mount *mount, int dir_fd);

int overlay_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd);
int overlay_is_ready(struct restore *r, const struct mount *mount);
int overlay_text(struct restore *r, const struct mount *mount, char **ret);
int overlay_refuse(const struct mount *mount);

void nsfs_survey(struct dump *dump, struct mount *mount);
/* Warns of namespaces of the tree that are bound to files of another mount namespace. */
void nsfs_survey_outside(struct dump *dump, const struct mountinfo *outside);
int nsfs_load(struct restore *r, const struct ns *ns, struct mount *mount);
int nsfs_prepare(struct restore *r, struct mount *mount);
int nsfs_open(struct restore *r, const struct mount *mount);

int bpf_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd);

int binfmt_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd);
int binfmt_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd);
int binfmt_load(struct restore *r, const struct ns *ns, struct mount *mount);
int binfmt_fill(struct restore *r, const struct ns *ns, struct mount *mount, int dir_fd);
