/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls on the userfaultfd of another process: ioctl_userfaultfd(2). Negative errnos, not logged. */
#pragma once
#include <linux/userfaultfd.h>
#include <stdint.h>

/* -EEXIST: the first page is there. -EAGAIN: the process is changing its map, and waits until we have read of that. */
int uffd_copy(int uffd, uint64_t to, const void *from, uint64_t len, uint64_t *ret_done);
int uffd_zero(int uffd, uint64_t to, uint64_t len, uint64_t *ret_done);
/* An access to these pages is SIGBUS from now on, for good. */
int uffd_poison(int uffd, uint64_t to, uint64_t len, uint64_t *ret_done);
void uffd_wake(int uffd, uint64_t at, uint64_t len);
