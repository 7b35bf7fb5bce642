/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared segments at restore: made and filled in the tool, before the tree is forked; every task inherits them. */
#pragma once
#include "run/restore.h"

/* r->segment_fds afterwards: segment_key() -> descriptor at or above service_base. */
int segments_make(struct restore *r);
/* When every task has mapped them, or when the restore has failed: what shall not stay goes. */
void segments_finish(struct restore *r, bool failed);
