/* SPDX-License-Identifier: LGPL-2.1-only */
/* Sizes and bounds of user memory on this CPU. No libc. */
#pragma once

#define PAGE_SZ 4096ul
#define HUGE_PAGE_SZ (2ul << 20) /* of a page table's entry one level up */

/* Where user addresses end: as long as a program does not ask for more, and at most (5-level page tables). */
#define USER_END ((1ull << 47) - PAGE_SZ)
#define USER_END_MAX ((1ull << 56) - PAGE_SZ)
