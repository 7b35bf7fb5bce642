/* SPDX-License-Identifier: GPL-2.0-only */
/* Mount points: directories and files of the tree, whose names could lead anywhere. */
#pragma once
#include <stdbool.h>

struct mount;
struct restore;

/*
 * @path below the root directory of @mount, O_PATH: no link is followed, no other mount entered. A missing one is created: as
 * a directory, or (@is_dir false) as a file. A descriptor, or a negative errno, not logged.
 */
int mount_point_open(struct restore *r, const struct mount *mount, const char *path, bool is_dir);
