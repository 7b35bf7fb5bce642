/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/page_view.h"
#include <stdlib.h>
#include <sys/mman.h>

void page_view_close(struct page_view *view)
{
	for (size_t i = 0; view->mem && view->len && i < view->map->nr_sources; i++)
		if (view->mem[i])
			munmap(view->mem[i], view->len[i]);
	free(view->mem);
	free(view->len);
	*view = (struct page_view){ 0 };
}
