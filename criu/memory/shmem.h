/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that is a file without a path: shared anonymous mappings, memfd, SysV segments. */
#pragma once
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/bits.h"
#include "kernel/shm.h"
#include "run/dump.h"
#include "run/restore.h"

/* Which type of memory @st is; @link: its name in /proc. */
enum shm_sort shmem_sort(const struct stat *st, uint32_t fs_magic, const char *link);
/* Its id in images; for a SysV segment, its own id. */
int shmem_id(struct dump *dump, uint32_t kdev, uint64_t ino, bool huge, uint32_t *ret_shmid);
/*
 * Notes a SysV segment that is open by a descriptor; its entry is written with those of mappings. -ESRCH: it has been
 * removed, and only its memory is left.
 */
int shmem_note_sysv(struct dump *dump, int local, const struct stat *st, uint32_t huge_flags);
/* Private mappings of the inode belong to a file that others use. */
int shmem_note_huge(struct dump *dump, uint32_t kdev, uint64_t ino);
bool shmem_is_file(const struct dump *dump, uint32_t kdev, uint64_t ino);

enum shmem_keep {
	SHMEM_KEEP_ZEROS =
		1, /* pages full of zeros do not become holes, which a descriptor shows (SEEK_HOLE, st_blocks) */
	SHMEM_KEEP_LAST = 2, /* the last page is saved, even if it is a hole: where it ends is the size */
};

/*
 * Saves the content of @local_fd (@size bytes, holes remain holes) to pagemap-shmem-@shmid.img. Once per shmid: later
 * calls do nothing. @keep: enum shmem_keep.
 */
int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid, unsigned keep);
/* Restore: loads it into @fd, which has the right size already. */
/* Checks its images, before anything is created; shmem_fill() uses them. *@ret (or NULL): zeros the second time. */
struct shmem_content {
	uint64_t pages; /* how many it takes */
	uint64_t end; /* of the last one, in bytes */
};
int shmem_check(struct restore *r, uint32_t shmid, struct shmem_content *ret);
int shmem_fill(struct restore *r, uint32_t shmid, int fd);

/* MAP_* flags of huge pages: MAP_HUGETLB and their size. */
#define SHMEM_HUGE_SIZE ((uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)
#define SHMEM_HUGE_BITS (MAP_HUGETLB | SHMEM_HUGE_SIZE)

/* Page size of memory with these MAP_* flags. */
static inline uint64_t shmem_page_size(uint32_t flags)
{
	uint32_t shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return flags & MAP_HUGETLB ? 1ull << (shift ? shift : 21) : PAGE_SZ;
}

/* Logs that @size bytes of huge pages with these flags could not be had: @error is positive; returns it negative. */
int shmem_no_huge_pages(int error, uint64_t size, uint32_t flags);
