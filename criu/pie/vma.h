/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants of vma_entry, for module memory and the restorer. */
#pragma once
#include <stdint.h>

/* vma_entry.status */
enum vma_status {
	VMA_REGULAR = 1 << 0,
	VMA_STACK = 1 << 1,
	VMA_VSYSCALL = 1 << 2,
	VMA_VDSO = 1 << 3,
	VMA_HEAP = 1 << 5,
	VMA_FILE_PRIVATE = 1 << 6,
	VMA_FILE_SHARED = 1 << 7,
	VMA_ANON_SHARED = 1 << 8,
	VMA_ANON_PRIVATE = 1 << 9,
	VMA_SYSV = 1 << 10,
	VMA_SOCKET = 1 << 11,
	VMA_VVAR = 1 << 12,
	VMA_AIO_RING = 1 << 13,
	VMA_MEMFD = 1 << 14,
	VMA_SHADOW_STACK = 1 << 15,
	VMA_GUARD = 1 << 16, /* a guard region in the preceding mapping */
};

/* vma_entry.flags: MAP_DROPPABLE of mmap(2), Linux 6.11, where others have MAP_PRIVATE. */
#define VMA_DROPPABLE 0x08
/*
 * vma_entry.shmid of shared memory without a name: its inode number, with a bit that distinguishes it from SysV
 * segments, whose ids start at 0, and one more on hugetlbfs, whose inode numbers may be the same as others'.
 */
#define SHMID_INODE 0x40000000u
#define SHMID_HUGETLB 0x80000000u

/* The kernel may drop its pages at any time, and they must not be duplicated (random numbers): they are not saved. */
static inline int vma_is_droppable(uint32_t flags)
{
	return (flags & 0x0f) == VMA_DROPPABLE;
}

/* Its own pages: not those of a file or a segment. An AIO ring, which no other process can use, counts as such. */
static inline int vma_has_private_pages(uint32_t status)
{
	return !!(status & (VMA_FILE_PRIVATE | VMA_ANON_PRIVATE | VMA_AIO_RING)) &&
	       !(status & (VMA_VVAR | VMA_VSYSCALL | VMA_GUARD));
}
