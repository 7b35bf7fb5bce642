/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths on which nobody but root can put something in the way. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct audience;
struct restore;

#define TRUST_WHY_MAX (PATH_MAX + 64)

/*
 * An O_PATH descriptor of @path, with our own rights, if every directory and link on the way belongs to root or us, and
 * nobody of @to, nor everybody, can write there. -EACCES: @why says what is in the way. Not logged.
 */
int trusted_path_open(struct restore *r, const struct audience *to, const char *path, bool follow,
		      char why[static TRUST_WHY_MAX]);
