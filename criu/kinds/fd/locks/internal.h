/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File locks: flock(2), fcntl(2) ranges of processes (POSIX) and of open files (OFD), leases. filelocks.img contains
 * for each lock a process and a descriptor with which it is acquired again.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "kernel/locks.h"

struct dump;
struct fd_probe;
struct file;
struct restore;
struct restore_task;
struct stat;

/* file_lock_entry.flag: fl_flags of the kernel; the type is F_RDLCK, F_WRLCK or F_UNLCK for all of them. */
enum locks_flag { LOCKS_POSIX = 1, LOCKS_FLOCK = 2, LOCKS_LEASE = 32, LOCKS_OFD = 1024 };

/* "a POSIX write lock on bytes 3 to 7" */
const char *locks_describe(const struct file_lock *lock, char *buf, size_t size);

/* kind_data of a restore */
struct held {
	struct restore_task *task;
	int fd;
	const struct file *file;
	struct file_lock lock; /* its type is the one held, also for a lease being broken */
	enum file_lock_type breaking_to;
};

struct restore_locks {
	struct held *v; /* by task */
	size_t n;
	struct held *in_flight; /* of files that are only in flight: the fd is -1 */
	size_t nr_in_flight;
};

/*
 * A lock of another program for which @lock cannot be acquired on that file; NULL: none that /proc/locks shows. The file
 * systems of overlays and btrfs are not known: with @certain their locks do not count, otherwise the inode is enough.
 */
const struct file_lock *locks_find_conflict(const struct file_lock *lock, const struct stat *st,
					    const struct file_locks *locks, bool certain);
/* "process 7 (cat) holds ..." */
#define LOCKS_HOLDER_MAX 256
void locks_describe_holder(const struct held *h, const struct file_lock *found, char holder[LOCKS_HOLDER_MAX]);

/* locks_run: see run/kind.h */
int locks_check(struct restore *r);
int locks_survey(struct dump *dump);
int locks_save_fd(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh);
