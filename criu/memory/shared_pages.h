/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages of a process that does not run are shared copy-on-write, or may be. */
#pragma once
#include <stdbool.h>
#include <sys/uio.h>
#include "kernel/pagemap_scan.h"

struct proc;

struct shared_pages {
	struct page_scan page_map;
	int counts; /* /proc/kpagecount; -1: it cannot be read */
};
#define SHARED_PAGES_CLOSED ((struct shared_pages){ PAGE_SCAN_CLOSED, -1 })

int shared_pages_open(const struct proc *p, struct shared_pages *ret);
void shared_pages_close(struct shared_pages *shared);
/*
 * Would pinning these pages, in ascending order, copy some of them, or divide huge pages? @huge: there are huge ones. True also if
 * it is not known, or takes too long.
 */
bool shared_pages_are_in(const struct shared_pages *shared, const struct iovec *pieces, int n, bool huge);
