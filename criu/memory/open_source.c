/* SPDX-License-Identifier: GPL-2.0-only */
/* Selects the source that a restore reads its pages from. */
#include <errno.h>
#include "memory/page_source.h"
#include "util/log.h"

int page_source_open(struct restore *r, enum image_type type, uint64_t id, struct page_source **ret_source)
{
	return image_source_open(r->dir, type, id, ret_source);
}

int page_source_open_task(struct restore *r, const struct restore_task *rt, struct page_source **ret_source)
{
	int err = rt->pagemap ? image_source_reopen(r->dir, rt->pagemap, ret_source) :
				page_source_open(r, IMAGE_PAGEMAP, rt->t.pid, ret_source);

	return err == -ENOENT && !rt->pagemap ? fail(err, "%s", image_store_error(r->dir)) : err;
}
