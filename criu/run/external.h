/* SPDX-License-Identifier: GPL-2.0-only */
/* Resources outside the tree: declared at dump with --external, supplied at restore with --inherit-fd. */
#pragma once
#include <stdbool.h>
#include "run/options.h"

/* Is @id ("file[1a:2b]", "pipe:[7]") given with --external, with or without a :KEY after it? */
bool external_is_given(const struct options *opts, const char *id);
/* The KEY of --external ID:KEY; NULL: not given, or without one. */
const char *external_key(const struct options *opts, const char *id);
/* The --inherit-fd for @key; NULL: none. The leading slash of a path may be missing. */
const struct inherit_fd *external_inherited(const struct options *opts, const char *key);
