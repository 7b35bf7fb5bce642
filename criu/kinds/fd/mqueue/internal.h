/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors of POSIX message queues. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kinds/kinds.h"

/* Of one dump: dump_kind_data() of mqueue_kind */
struct mqueue_dump {
	struct mqueue_reader *reader;
	int unreadable; /* why there is none */
};

/*
 * Raw system calls: the library functions check and copy, and need librt on older systems. Names have a slash here, which
 * the kernel does not expect.
 */
static inline int mqueue_sys_open(const char *name, int flags)
{
	int fd = (int)syscall(SYS_mq_open, name + 1, flags | O_CLOEXEC, 0, NULL);

	return fd < 0 ? -errno : fd;
}

static inline int mqueue_unlink(const char *name)
{
	return (int)syscall(SYS_mq_unlink, name + 1);
}

/* restore.c */
int mqueue_load(struct restore *r, struct file *file, void *state);
int mqueue_open(struct restore *r, struct file *file, const void *state);
int mqueue_in_namespaces(struct restore *r);
void mqueue_failed(struct restore *r);
