/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that lives in a file without a path: shared anonymous mappings, memfd, SysV segments. */
#pragma once
#include "run/dump.h"
#include "run/restore.h"

/* The content of @local_fd (@size bytes, holes stay holes) to pagemap-shmem-@shmid.img. Once per shmid: later calls do
 * nothing. */
int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid);
/* And back into @fd, which has the right size already. */
int shmem_fill(struct restore *r, uint32_t shmid, int fd);
