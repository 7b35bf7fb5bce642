/* SPDX-License-Identifier: GPL-2.0-only */
/* What lies outside of the tree: --external says at dump that it is handed over, --inherit-fd hands it over. */
#pragma once
#include <stdbool.h>
#include "run/options.h"

/* Does --external name @id ("file[1a:2b]", "pipe:[7]"), with a :KEY behind it or without? */
bool external_is_given(const struct options *opts, const char *id);
/* What --inherit-fd gives for @key, NULL: nothing. Of a path the first slash may be missing. */
const struct inherit_fd *external_inherited(const struct options *opts, const char *key);
