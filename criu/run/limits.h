/* SPDX-License-Identifier: GPL-2.0-only */
/* Resource limits of the tool itself: getrlimit(2). While it works, none of them is lower than it may be. */
#pragma once
#include <stdint.h>
#include "pie/wire.h"

/* Of those, descriptors of mapped files that a process has from the one that forked it (memory/mapped_files.c). */
#define INHERITED_FILES_MAX 24
/* How many descriptors a restore needs in each process above those that the program has there. */
#define RESTORE_OWN_FDS (64 + INHERITED_FILES_MAX)

/* Each soft limit becomes as high as the hard one; @ret_was gets what they were (soft, hard). */
void limits_raise(uint64_t ret_was[PARASITE_NR_RLIMITS][2]);
/* Back to what limits_raise() has given: for what somebody else is to inherit. */
void limits_put_back(const uint64_t was[PARASITE_NR_RLIMITS][2]);
