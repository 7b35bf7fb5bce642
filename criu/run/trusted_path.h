/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that only root can change. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct audience;
struct restore;

#define TRUST_WHY_MAX (PATH_MAX + 64)

/*
 * An O_PATH descriptor of @path, with our own rights, if every directory and link on the path is owned by root or us,
 * and is writable neither for @to (NULL: any group) nor for everyone. -EACCES: the reason is in @why. Not logged.
 */
int trusted_path_open(struct restore *r, const struct audience *to, const char *path, bool follow,
		      char why[static TRUST_WHY_MAX]);
