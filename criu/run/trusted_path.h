/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that only root can change. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include "run/path.h"

struct audience;

#define TRUST_WHY_MAX (PATH_MAX + 64)

/*
 * An O_PATH descriptor of @from, with our own rights, if every directory and link on the path is owned by root or us,
 * and is writable neither for @to (NULL: any group) nor for everyone. -EACCES: the reason is in @why. Not logged.
 */
int trusted_path_open(const struct audience *to, struct path_from from, bool follow, char why[static TRUST_WHY_MAX]);
