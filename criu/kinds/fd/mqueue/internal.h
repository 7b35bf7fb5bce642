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

/* 1: not available; why, is in the log. */
int mqueue_dump_reader(struct dump *dump, struct mqueue_dump **ret);

/*
 * charge.c: a new, empty queue that counts against the limit of the user that the images say, or else of its owner: its
 * descriptor, or a negative errno, not logged. @owned: the IPC namespace that is being filled; NULL: in in_namespaces.
 */
int mqueue_create_charged(const struct restore *r, const struct ns *owned, const struct mqueue_properties *queue);

/*
 * Raw system calls: the library functions check and copy, and need librt on older systems. Names have a slash here, which
 * the kernel does not expect. The descriptor is close-on-exec in any case; with O_CLOEXEC, F_GETFL shows that flag, too.
 */
static inline int mqueue_sys_open(const char *name, int flags)
{
	int fd = (int)syscall(SYS_mq_open, name + 1, flags, 0, NULL);

	return fd < 0 ? -errno : fd;
}

static inline int mqueue_unlink(const char *name)
{
	return (int)syscall(SYS_mq_unlink, name + 1);
}

/* outside.c: queues that have no name. */
int mqueue_note_unlinked(struct dump *dump, const struct fd_probe *probe, const char *name);
int mqueue_check_outside(struct dump *dump);

/* notify.c: of the file @id. */
int mqueue_save_notify(struct dump *dump, const struct fd_probe *probe, uint32_t id, MqueueEntry *mq);

/* restore.c */
int mqueue_load(struct restore *r, struct file *file, void *state);
int mqueue_open(struct restore *r, struct file *file, const void *state);
int mqueue_in_namespaces(struct restore *r);
void mqueue_failed(struct restore *r);
