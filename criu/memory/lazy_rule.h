/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages a lazy restore leaves out: the same rule for dump, restore and daemon. */
#pragma once
#include <stdbool.h>
#include "mm.pb-c.h"

/*
 * Are pages of this mapping that the images mark as lazy left out? Both sides of the connection decide by this rule, which is
 * CRIU's: a page that is left out and not supplied would be empty.
 */
bool memory_vma_may_be_lazy(const VmaEntry *v);
/*
 * Does this program leave them out, if it can? Not where a fork's child gets empty memory (MADV_WIPEONFORK), which a
 * daemon is not told.
 */
bool memory_vma_is_lazy(const VmaEntry *v);
