/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that lives in a file without a path: shared anonymous mappings, memfd, SysV segments. */
#pragma once
#include <sys/stat.h>
#include "kernel/shm.h"
#include "run/dump.h"
#include "run/restore.h"

/* What kind of memory @st is, which /proc calls @link. */
enum shm_sort shmem_sort(const struct stat *st, uint32_t fs_magic, const char *link);
/* The number that stands for it in images. Of a SysV segment it is its own. */
int shmem_id(struct dump *dump, uint32_t kdev, uint64_t ino, bool huge, uint32_t *ret_shmid);
/* A SysV segment that is there by a descriptor; its record is written with those of mappings. -ESRCH: it has been removed,
 * and only its memory is left. */
int shmem_note_sysv(struct dump *dump, int local, const struct stat *st, uint32_t huge_flags);
/* Private mappings of the inode are of a file that others see. */
int shmem_note_huge(struct dump *dump, uint32_t kdev, uint64_t ino);
bool shmem_is_file(const struct dump *dump, uint32_t kdev, uint64_t ino);

/* The content of @local_fd (@size bytes, holes stay holes) to pagemap-shmem-@shmid.img. Once per shmid: later calls do
 * nothing. */
int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid);
/* And back into @fd, which has the right size already. */
/* Its images, before anything is made: they are what shmem_fill() takes them from. */
int shmem_check(struct restore *r, uint32_t shmid);
int shmem_fill(struct restore *r, uint32_t shmid, int fd);
