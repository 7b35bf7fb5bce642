/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/locks (proc_locks(5)) and the lock lines of fdinfo. 0 or a negative errno; -EBADMSG: malformed text. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "util/array.h"

enum file_lock_kind {
	LOCK_KIND_FLOCK,
	LOCK_KIND_POSIX,
	LOCK_KIND_OFD,
	LOCK_KIND_LEASE,
	LOCK_KIND_DELEG,
	LOCK_KIND_OTHER
};
enum file_lock_type { LOCK_TYPE_READ, LOCK_TYPE_WRITE, LOCK_TYPE_NONE };

struct file_lock {
	uint64_t id; /* blocked ones have that of the lock they wait for */
	bool blocked; /* "->": it waits */
	enum file_lock_kind kind;
	bool mandatory;
	bool breaking; /* lease: @type is what it will become, the current one is not shown */
	enum file_lock_type type;
	int pid; /* -1: OFD; 0: a process of another pid namespace */
	bool has_inode;
	uint32_t dev_major, dev_minor;
	uint64_t ino;
	int64_t start, end; /* bytes; end INT64_MAX: to the end of the file */
};
ARRAY_OF(file_locks, struct file_lock);

int locks_read(struct file_locks *to);
int locks_parse(const char *text, size_t len, struct file_locks *to);
/* One line, without "lock:\t" and newline. */
int lock_parse_line(const char *line, size_t len, struct file_lock *ret);
