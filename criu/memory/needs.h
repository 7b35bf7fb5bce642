/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory a restored tree needs, at least. In bytes, without that of hugetlbfs, and without lazy pages. */
#pragma once
#include "run/restore.h"

struct memory_needs {
	uint64_t private, shared;
};

/* Those of [at, end), which is a part of @run, that the restore itself puts into memory. */
uint64_t memory_needed_pages(const struct restore *r, const struct pagemap_run *run, uint64_t at, uint64_t end);
/* After link. */
struct memory_needs memory_needs(const struct restore *r);
