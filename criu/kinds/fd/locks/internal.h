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

/* file_lock_entry.flag: fl_flags of the kernel; the type is F_RDLCK, F_WRLCK or F_UNLCK for all of them. */
enum locks_flag { LOCKS_POSIX = 1, LOCKS_FLOCK = 2, LOCKS_LEASE = 32, LOCKS_OFD = 1024 };

/* "a POSIX write lock on bytes 3 to 7" */
const char *locks_describe(const struct file_lock *lock, char *buf, size_t size);

/* locks_run: see run/kind.h */
int locks_survey(struct dump *dump);
int locks_save_fd(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh);
