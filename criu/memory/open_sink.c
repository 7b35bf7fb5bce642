/* SPDX-License-Identifier: GPL-2.0-only */
/* Selects the sink that a dump writes its pages to. */
#include "memory/page_sink.h"

int page_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	return image_sink_open(dump, type, id, ret_sink);
}
