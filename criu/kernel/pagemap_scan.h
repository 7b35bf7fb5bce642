/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages of a process have content: the PAGEMAP_SCAN ioctl (Linux 6.7) of /proc/PID/pagemap, or, without it, the
 * file itself. Addresses in bytes, page-aligned. Functions return 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "kernel/proc_pid.h"

/* Categories: as the kernel's PAGE_IS_*. With the fallback HUGE and PFNZERO are never set. */
enum page_category {
	PAGE_WPALLOWED = 1 << 0, /* in a range that userfaultfd write-protects asynchronously */
	PAGE_WRITTEN = 1 << 1, /* not write-protected by it */
	PAGE_FILE = 1 << 2, /* of a file, or shared anonymous memory */
	PAGE_PRESENT = 1 << 3,
	PAGE_SWAPPED = 1 << 4,
	PAGE_PFNZERO = 1 << 5, /* the zero page */
	PAGE_HUGE = 1 << 6,
	PAGE_SOFT_DIRTY = 1 << 7,
	PAGE_GUARD = 1 << 8, /* madvise(2) MADV_GUARD_INSTALL */
};

struct page_region {
	uint64_t start, end; /* adjacent regions of the same categories are one */
	uint64_t categories; /* those of page_want.report that are set */
};
ARRAY_OF(page_regions, struct page_region);

/* A page is wanted if, after inverting those in @inverted, it has all of @all and (if any) one of @any. */
struct page_want {
	uint64_t all, any, inverted, report;
	/* Write-protect reported pages, in the same step: -EPERM if the range is not registered with userfaultfd. */
	bool protect;
};

struct page_scan {
	int fd;
	bool has_scan;
	uint64_t known; /* categories that this kernel's ioctl supports; others are left out of requests */
};
#define PAGE_SCAN_CLOSED ((struct page_scan){ .fd = -1 })

int page_scan_open(const struct proc *p, struct page_scan *ret_pm);
void page_scan_close(struct page_scan *pm);
#define _cleanup_page_scan_ __attribute__((cleanup(page_scan_close)))

/* Appends the wanted regions of [start, end). -EOPNOTSUPP: protect without the ioctl. */
int page_scan_range(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
		    struct page_regions *to);
/* The same by reading the file: used by page_scan_range on an old kernel; tests compare them. */
int page_scan_by_reading(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
			 struct page_regions *to);

/* Entries of the file, one per page from @start on: pagemap bits of proc_pid_pagemap(5). */
#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)
#define PM_FILE (1ull << 61)
#define PM_GUARD (1ull << 58)
#define PM_UFFD_WP (1ull << 57)
#define PM_EXCLUSIVE (1ull << 56)
#define PM_SOFT_DIRTY (1ull << 55)
#define PM_PFN_MASK ((1ull << 55) - 1) /* 0 without CAP_SYS_ADMIN */
/* A page, or one that is swapped out: not a guard or another note of the kernel, which is shown as the last of the swap types. */
static inline bool pm_has_content(uint64_t entry)
{
	return (entry & PM_PRESENT) || ((entry & PM_SWAP) && !(entry & PM_GUARD) && (entry & 0x1f) != 0x1f);
}
/* A private page that other address spaces may have, too. */
static inline bool pm_is_shared(uint64_t entry)
{
	return (entry & PM_PRESENT) && !(entry & (PM_FILE | PM_EXCLUSIVE));
}
/* Its frame; 0: it is no such page, or the frame is not shown. */
static inline uint64_t pm_shared_frame(uint64_t entry)
{
	return pm_is_shared(entry) ? entry & PM_PFN_MASK : 0;
}
int page_scan_entries(const struct page_scan *pm, uint64_t start, size_t pages, uint64_t *ret_v);
