/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of POSIX message queues: no system call reads them without removing them. mq_overview(7) */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mqueue_reader;

/* Errors as for kernel_memory_open(). */
int mqueue_reader_open(struct mqueue_reader **ret);
void mqueue_reader_close(struct mqueue_reader *reader);

/* Whose limit a queue counts against: a user, in the numbers of the initial user namespace, and the inode of his own one. */
struct mqueue_charge {
	uid_t uid;
	uint64_t user_ns;
};
/* @fd: our own descriptor of a queue. -EOPNOTSUPP: not on this kernel. */
int mqueue_charge_read(const struct mqueue_reader *reader, int fd, struct mqueue_charge *ret);

/* A request for notification: mq_notify(3). */
struct mqueue_notify {
	int how, signal; /* SIGEV_* */
	uint64_t value;
};
/* -EOPNOTSUPP: not on this kernel. Without a request, the last one. */
int mqueue_notify_read(const struct mqueue_reader *reader, int fd, struct mqueue_notify *ret);

/* Called for each message, in the order in which they would be received. @data is valid during the call. */
struct mqueue_taker {
	int (*take)(void *arg, uint32_t priority, const void *data, size_t len);
	void *arg;
};
/*
 * @fd: our own descriptor of a queue of @nr messages, of at most @max bytes each. -EAGAIN: it is in use, and has changed
 * meanwhile. Or the first error of @taker.
 */
int mqueue_messages_read(const struct mqueue_reader *reader, int fd, size_t nr, size_t max,
			 const struct mqueue_taker *taker);
