/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages a process must have before it forks: it stages them (premap_stage.c) for the tasks that it forks. */
#pragma once
#include "memory/page_source.h"
#include "memory/premap.h"

struct staging {
	struct restore *r;
	struct premap *p;
	const struct page_source *source; /* of its own task */
	struct page_view own;
};

/* Marks in premap_hull.shared the pages that must be present before @by forks. */
int premap_compare_children(struct staging *s, const struct restore_task *by);
