/* SPDX-License-Identifier: GPL-2.0-only */
/* Idmapped mounts: the ids of files are translated by the maps of a user namespace. mount_setattr(2) MOUNT_ATTR_IDMAP */
#pragma once
#include <stdbool.h>

struct dump;
struct mount;
struct mount_info;
struct mounts;
struct restore;

bool mount_is_idmapped(const struct mount_info *info);
/* Dump, in the namespace: adds the maps to the records of all of them, but for external ones. */
int mounts_save_idmaps(struct dump *dump, struct mounts *m);

/* Restore: of a record. */
int mount_check_idmap(const struct mount *mount);
/* In the tool: creates a user namespace for each different pair of maps. */
int mounts_make_idmaps(struct restore *r);
/* Of a detached mount. */
int mount_set_idmap(const struct mount *mount);
