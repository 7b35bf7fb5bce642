/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of pages on their way from a scan to a sink, and what is to become of them: classify_pages.c decides. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum page_outcome {
	PAGES_WRITE, /* their content goes to the sink */
	PAGES_PARENT, /* they are as in the parent images, which have them: PAGEMAP_PARENT */
	PAGES_SAME, /* equal to others of this dump; the format cannot say so yet: sinks treat them as PAGES_WRITE */
	PAGES_ZERO, /* a restore gets them by mapping alone: no entry */
	PAGES_SKIP, /* not part of a dump, as the program expects them to vanish: no entry */
};

/* Addresses; of a shared segment: offsets. Multiples of PAGE_SZ. */
struct page_run {
	uint64_t start, end;
	enum page_outcome outcome;
	bool may_be_lazy; /* a restore may bring them when they are first touched */
};

static inline bool page_run_has_content(const struct page_run *run)
{
	return run->outcome == PAGES_WRITE || run->outcome == PAGES_SAME;
}
