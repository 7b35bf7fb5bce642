/* SPDX-License-Identifier: GPL-2.0-only */
/* Resource limits of the tool itself: getrlimit(2). While it runs, soft limits are as high as possible. */
#pragma once
#include <stdint.h>
#include "pie/wire.h"

/* Descriptors of mapped files that a process inherits from the one that forked it (memory/mapped_files.c). */
#define INHERITED_FILES_MAX 24
/* Number of descriptors that a restore needs in each process in addition to those of the program. */
#define RESTORE_OWN_FDS (64 + INHERITED_FILES_MAX)

/* Raises each soft limit to the hard one; @ret_was: the old limits (soft, hard). */
void limits_raise(uint64_t ret_was[PARASITE_NR_RLIMITS][2]);
/* Restores the limits from limits_raise(), for programs that inherit them. */
void limits_restore(const uint64_t was[PARASITE_NR_RLIMITS][2]);
