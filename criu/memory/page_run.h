/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of pages between a scan and a sink, and how they are saved: decided by classify_pages.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum page_outcome {
	PAGES_WRITE, /* content goes to the sink */
	PAGES_PARENT, /* same as in the parent images, which contain them: PAGEMAP_PARENT */
	PAGES_SAME, /* those of another process (same_as) at the same address: an entry that says so */
	PAGES_ZERO, /* a restore gets them just by mapping: no entry */
	PAGES_LAZY, /* they stay in the process, which a restore asks for them: PAGEMAP_LAZY without content */
	PAGES_SKIP, /* not part of a dump, as the program expects them to vanish: no entry */
};

/* Addresses, or offsets for a shared segment. Multiples of PAGE_SZ. */
struct page_run {
	uint64_t start, end;
	enum page_outcome outcome;
	bool may_be_lazy; /* a restore may load them when they are first accessed */
	bool empty_is_zero; /* without an entry they are zeros after a restore: those full of zeros need no content */
	bool in_huge_pages; /* some of them: which a restore can fill again only if they have content from end to end */
	bool incompressible; /* is not compressed: what others expect to find as it is */
	/* The number of another process in these images. PAGES_SAME: that has them; PAGES_WRITE: that has the same ones; 0: none is known */
	uint32_t same_as;
};

static inline bool page_run_has_content(const struct page_run *run)
{
	return run->outcome == PAGES_WRITE;
}
