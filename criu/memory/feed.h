/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that are not direct (memory/page_source.h): supplied in mappings that the restorer moves into place. */
#pragma once
#include "memory/page_source.h"

/*
 * In the task, when its files are open. Then restore_process.premap has all of them. Pages that are known to be zeros are
 * not touched.
 */
int memory_feed(struct restore *r, struct restore_task *rt, const struct page_source *source);
