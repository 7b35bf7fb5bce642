/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether an eventfd is a semaphore, which /proc shows since Linux 6.5 only. */
#pragma once
#include <stdbool.h>

struct eventfd_reader;

/* Errors as for kernel_memory_open(). */
int eventfd_reader_open(struct eventfd_reader **ret);
void eventfd_reader_close(struct eventfd_reader *reader);
/* @fd: our own descriptor of it. */
int eventfd_is_semaphore(const struct eventfd_reader *reader, int fd, bool *ret);
