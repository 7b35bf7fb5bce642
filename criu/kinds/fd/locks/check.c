// SPDX-License-Identifier: GPL-2.0-only
/* Locks of others: who holds what a restore cannot acquire; and criu check -D, which acquires none to find out. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/locks/internal.h"
#include "kinds/kinds.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

static bool conflict(const struct file_lock *a, const struct file_lock *b)
{
	bool ranges = a->kind == LOCK_KIND_POSIX || a->kind == LOCK_KIND_OFD;
	bool same = ranges ? b->kind == LOCK_KIND_POSIX || b->kind == LOCK_KIND_OFD : a->kind == b->kind;

	return same && !b->blocked && (a->type == LOCK_TYPE_WRITE || b->type == LOCK_TYPE_WRITE) &&
	       a->start <= b->end && b->start <= a->end;
}

/* The st_dev of an overlay or a subvolume (btrfs) is not that of the file system. @certain: then it is none. */
static bool is_of_file(const struct file_lock *lock, const struct stat *st, bool certain)
{
	return lock->has_inode && lock->ino == st->st_ino &&
	       ((!major(st->st_dev) && !certain) ||
		(lock->dev_major == major(st->st_dev) && lock->dev_minor == minor(st->st_dev)));
}

const struct file_lock *locks_find_conflict(const struct file_lock *lock, const struct stat *st,
					    const struct file_locks *locks, bool certain)
{
	const struct file_lock *other;

	array_for_each(other, locks)
		if (is_of_file(other, st, certain) && conflict(lock, other))
			return other;
	return NULL;
}

/* The kernel does not always report who it is: a process in another pid namespace, or an exited one. */
void locks_describe_holder(const struct held *h, const struct file_lock *found, char holder[LOCKS_HOLDER_MAX])
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	char comm[16] = "", text[128];

	if (h->lock.kind == LOCK_KIND_LEASE && !found)
		snprintf(holder, LOCKS_HOLDER_MAX, "another process has it open");
	else if (!found || found->pid <= 0)
		snprintf(holder, LOCKS_HOLDER_MAX, "a process unknown to the kernel holds %s",
			 found ? locks_describe(found, text, sizeof(text)) : "it");
	else if (proc_open(found->pid, &proc) || proc_comm(&proc, comm))
		snprintf(holder, LOCKS_HOLDER_MAX, "process %d holds %s", found->pid,
			 locks_describe(found, text, sizeof(text)));
	else
		snprintf(holder, LOCKS_HOLDER_MAX, "process %d (%s) holds %s", found->pid, comm,
			 locks_describe(found, text, sizeof(text)));
}

/* A lease that was being broken becomes what it can be, without an error. */
static void check_lock(struct restore *r, const struct held *h, const struct file_locks *locks)
{
	char what[128], holder[LOCKS_HOLDER_MAX];
	const struct file_lock *found;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (h->lock.type == LOCK_TYPE_NONE || h->lock.breaking)
		return;
	/* If it is missing, the check of the file says so. */
	fd = regular_find_here(r, h->file);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	found = locks_find_conflict(&h->lock, &st, locks, true);
	if (!found)
		return;
	restore_is_about(r, "lock", h->task, h->file);
	locks_describe_holder(h, found, holder);
	log_error("%s on %s cannot be acquired again: %s; end that program first",
		  locks_describe(&h->lock, what, sizeof(what)), h->file->entry->reg->name, holder);
}

int locks_check(struct restore *r)
{
	const struct restore_locks *held = *restore_kind_data(r, &locks_run);
	struct file_locks locks = { 0 };
	int err = held ? locks_read(&locks) : 0;

	if (err == -ENOENT) /* a kernel without file locks, which a restore reports */
		err = 0;
	for (size_t i = 0; held && !err && i < held->n; i++)
		check_lock(r, &held->v[i], &locks);
	for (size_t i = 0; held && !err && i < held->nr_in_flight; i++)
		check_lock(r, &held->in_flight[i], &locks);
	array_free(&locks);
	return err ? fail(err, "read /proc/locks") : 0;
}
