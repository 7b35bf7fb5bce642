/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that the kernel keeps in files of its own, which have a name in /proc, but no path. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

enum shm_sort {
	SHM_NONE,
	SHM_MEMFD, /* memfd_create(2): "/memfd:NAME (deleted)" */
	SHM_ANONYMOUS, /* shared memory of mmap(2), also of huge pages: "/dev/zero (deleted)", "/anon_hugepage (deleted)" */
	SHM_SYSV, /* shmget(2): "/SYSV%08x (deleted)"; the inode number is the id */
};

/* By the name alone: a file in the root directory that was deleted may be called so, too. @len: without " (deleted)" */
enum shm_sort shm_sort_by_name(const char *name, size_t len);
/* Of a link in /proc, with its " (deleted)". */
enum shm_sort shm_sort_by_link(const char *link);
/* Is it the file system in which the kernel has them, but for those of huge pages? Also yes, if that cannot be found out. */
bool shm_is_kernels(dev_t dev);
