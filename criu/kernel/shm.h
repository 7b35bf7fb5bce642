/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that is a kernel-internal file, which has a name in /proc, but no path. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

enum shm_sort {
	SHM_NONE,
	SHM_MEMFD, /* memfd_create(2): "/memfd:NAME (deleted)" */
	SHM_ANONYMOUS, /* shared memory of mmap(2), also of huge pages: "/dev/zero (deleted)", "/anon_hugepage (deleted)" */
	SHM_SYSV, /* shmget(2): "/SYSV%08x (deleted)"; the inode number is the id */
};

/* By name only: a deleted file in the root directory may have the same name. @len: without " (deleted)" */
enum shm_sort shm_sort_by_name(const char *name, size_t len);
/* For a link in /proc, with its " (deleted)". */
enum shm_sort shm_sort_by_link(const char *link);
/*
 * Is it the kernel's internal file system for them, except those with huge pages? Also true if that cannot be
 * determined.
 */
bool shm_is_kernels(dev_t dev);
