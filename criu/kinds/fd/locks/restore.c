// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks are acquired last, when every task has stopped in the restorer: closing any descriptor of a file drops the
 * POSIX locks of the process on it, and opening one breaks a lease. The holders acquire them themselves, by injected
 * system calls.
 */
#include <compel/compel.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "file-lock.pb-c.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/locks/internal.h"
#include "kinds/kinds.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static const struct task_fd *find_fd(struct restore *r, const struct restore_task *task, int fd)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		if (rt->t.state == TASK_DEAD || !rt->files_owner || rt->t.ids.files != task->t.ids.files)
			continue;
		for (size_t i = 0; i < rt->nr_fds; i++)
			if (rt->fds[i].fd == fd)
				return &rt->fds[i];
	}
	return NULL;
}

static enum file_lock_type lock_type(uint32_t type)
{
	return type == F_WRLCK ? LOCK_TYPE_WRITE : type == F_RDLCK ? LOCK_TYPE_READ : LOCK_TYPE_NONE;
}

static const struct file *locked_file(struct restore *r, const struct restore_task *task, const FileLockEntry *e)
{
	const struct task_fd *user = e->has_file_id ? NULL : find_fd(r, task, e->fd);
	const struct file *file = e->has_file_id ? restore_file(r, e->file_id, "filelocks.img") : NULL;

	if (file && (e->fd != -1 || file->owner || (e->flag != LOCKS_FLOCK && e->flag != LOCKS_OFD))) {
		fail(-EBADMSG, "filelocks.img: a lock with flag %u of file %u, which is not in flight", e->flag,
		     file->id);
		return NULL;
	}
	if (!e->has_file_id && !user)
		fail(-EBADMSG, "filelocks.img: process %d has no descriptor %d", e->pid, e->fd);
	return user ? user->file : file;
}

static int load_lock(struct restore *r, const FileLockEntry *e, struct held *ret)
{
	struct held h = { .task = restore_find_task(r, e->pid), .fd = e->fd };

	switch (e->flag) {
	case LOCKS_FLOCK:
		h.lock.kind = LOCK_KIND_FLOCK;
		break;
	case LOCKS_POSIX:
		h.lock.kind = LOCK_KIND_POSIX;
		break;
	case LOCKS_OFD:
		h.lock.kind = LOCK_KIND_OFD;
		break;
	case LOCKS_LEASE:
		h.lock.kind = LOCK_KIND_LEASE;
		break;
	default:
		return fail(-EBADMSG, "filelocks.img: invalid lock flag %u", e->flag);
	}
	if (e->type != F_RDLCK && e->type != F_WRLCK && e->type != F_UNLCK)
		return fail(-EBADMSG, "filelocks.img: invalid lock type %u", e->type);
	if (e->start < 0 || e->len < 0 || (e->len && e->len - 1 > INT64_MAX - e->start))
		return fail(-EBADMSG, "filelocks.img: invalid range of %ld bytes from %ld", e->len, e->start);
	if (!h.task || h.task->t.state == TASK_DEAD)
		return fail(-EBADMSG, "filelocks.img: process %d is not in the tree, or has exited", e->pid);
	h.file = locked_file(r, h.task, e);
	if (!h.file)
		return -EBADMSG;
	h.lock.type = lock_type(e->type);
	h.lock.breaking = e->has_breaking;
	h.breaking_to = lock_type(e->breaking);
	if (h.lock.breaking &&
	    (e->flag != LOCKS_LEASE || h.breaking_to == LOCK_TYPE_WRITE || h.lock.type == h.breaking_to))
		return fail(-EBADMSG, "filelocks.img: a lock with flag %u and type %u cannot be broken to %u", e->flag,
			    e->type, e->breaking);
	h.lock.start = e->start;
	h.lock.end = e->len ? e->start + (e->len - 1) : INT64_MAX;
	*ret = h;
	return 0;
}

static int cmp_held(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	return (x->task->t.index > y->task->t.index) - (x->task->t.index < y->task->t.index);
}

static int locks_link(struct restore *r)
{
	struct restore_locks *locks;
	struct restore_records records;
	int err = restore_read_records(r, IMAGE_FILE_LOCKS, 0, &file_lock_entry__descriptor, &records);

	if (err || !records.n)
		return err;
	locks = restore_alloc(r, sizeof(*locks));
	if (locks)
		locks->v = restore_alloc(r, records.n * sizeof(*locks->v));
	if (locks)
		locks->in_flight = restore_alloc(r, records.n * sizeof(*locks->in_flight));
	if (!locks || !locks->v || !locks->in_flight)
		return fail(-ENOMEM, "file locks");
	for (size_t i = 0; !err && i < records.n; i++) {
		const FileLockEntry *e = (const FileLockEntry *)records.v[i];

		err = load_lock(r, e,
				e->has_file_id ? &locks->in_flight[locks->nr_in_flight++] : &locks->v[locks->n++]);
	}
	if (err)
		return err;
	qsort(locks->v, locks->n, sizeof(*locks->v), cmp_held);
	*restore_kind_data(r, &locks_run) = locks;
	return 0;
}

static const char *find_holder(const struct held *h, const struct stat *st, char holder[LOCKS_HOLDER_MAX])
{
	struct file_locks locks = { 0 };

	locks_read(&locks);
	locks_describe_holder(h, locks_find_conflict(&h->lock, st, &locks, false), holder);
	array_free(&locks);
	return holder;
}

static int refuse(const struct held *h, int err)
{
	char name[64], path[4096] = "?", what[128], holder[LOCKS_HOLDER_MAX];
	struct stat st = { 0 };

	snprintf(name, sizeof(name), "%d/fd/%d", h->task->t.host_pid, h->fd);
	read_link(proc_root(), name, path, sizeof(path));
	locks_describe(&h->lock, what, sizeof(what));
	if ((err != -EAGAIN && err != -EACCES) || fstatat(proc_root(), name, &st, 0))
		return fail(err, "fd %d: acquire %s on %s", h->fd, what, path);
	if (h->lock.kind == LOCK_KIND_LEASE && err == -EACCES)
		return fail(err, "fd %d: acquire %s on %s: another user's file needs CAP_LEASE", h->fd, what, path);
	return fail(err, "fd %d: %s on %s cannot be acquired again: %s", h->fd, what, path,
		    find_holder(h, &st, holder));
}

static int inject_call(struct compel_ctl *ctl, long nr, unsigned long a, unsigned long b, unsigned long c)
{
	const unsigned long args[6] = { a, b, c };
	long value;
	int err = compel_syscall(ctl, nr, args, &value);

	return err < 0 ? err : value < 0 ? (int)value : 0;
}

static struct flock range_of(const struct file_lock *lock)
{
	return (struct flock){
		.l_type = lock->type == LOCK_TYPE_WRITE ? F_WRLCK : F_RDLCK,
		.l_start = lock->start,
		.l_len = lock->end == INT64_MAX ? 0 : lock->end - lock->start + 1,
	};
}

/* @scratch: memory in the task for arguments of calls. */
static int acquire(struct compel_ctl *ctl, const struct held *h, uint64_t scratch)
{
	struct flock range = range_of(&h->lock);
	struct iovec local = { &range, sizeof(range) }, remote = { (void *)(uintptr_t)scratch, sizeof(range) };

	if (h->lock.type == LOCK_TYPE_NONE)
		return 0;
	if (h->lock.kind == LOCK_KIND_FLOCK)
		return inject_call(ctl, SYS_flock, h->fd, (range.l_type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB, 0);
	if (h->lock.kind == LOCK_KIND_LEASE)
		return inject_call(ctl, SYS_fcntl, h->fd, F_SETLEASE, range.l_type);
	if (process_vm_writev(h->task->t.host_pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(range))
		return -EFAULT;
	return inject_call(ctl, SYS_fcntl, h->fd, h->lock.kind == LOCK_KIND_OFD ? F_OFD_SETLK : F_SETLK, scratch);
}

/*
 * A process outside the tree that was waiting for a lease to be broken has opened the file in the meantime: the lease
 * becomes what it would be if its holder had not responded in time. A read lease that the kernel has so made of a write
 * lease cannot be acquired on an open file with write access: then there is none.
 */
static int acquire_broken(struct compel_ctl *ctl, struct held *h, uint64_t scratch)
{
	int err;

	h->lock.breaking = false;
	h->lock.type = h->breaking_to;
	err = acquire(ctl, h, scratch);
	if (err == -EAGAIN) {
		h->lock.type = LOCK_TYPE_NONE;
		err = 0;
	}
	if (!err)
		log_warn(
			"fd %d: the lease that was being broken is now %s: other processes have the file open, and the time to respond "
			"has expired",
			h->fd, h->lock.type == LOCK_TYPE_NONE ? "none" : "a read lease");
	return err;
}

static int acquire_all(struct restore *r, struct restore_task *rt, struct held *v, size_t n)
{
	struct compel_ctl *ctl = NULL;
	uint64_t scratch = 0;
	size_t i;
	int cured, err = restore_enter(r, rt, &ctl, &scratch);

	/* What of the restorer's own is still open and might be one of the files: POSIX locks go with its end. */
	if (!err && rt->files_shared)
		err = inject_call(ctl, SYS_close_range, r->service_base, ~0u, 0);
	if (err)
		fail(err, "make system calls in the task");
	for (i = 0; !err && i < n; i++) {
		err = acquire(ctl, &v[i], scratch);
		if (err == -EAGAIN && v[i].lock.breaking)
			err = acquire_broken(ctl, &v[i], scratch);
		if (err)
			refuse(&v[i], err);
	}
	cured = ctl ? compel_cure(ctl) : 0;
	return err ? err : cured ? fail(cured, "leave the task") : 0;
}

/* ---- leases being broken ---- */

static const FownEntry *owner_of(const struct held *h)
{
	return h->file->entry->reg ? h->file->entry->reg->fown : NULL;
}

/* To take a lease gives the description an owner, if it has none. */
static int settle_owner(struct restore *r, int fd, const struct held *h)
{
	const FownEntry *fown = owner_of(h);

	if (fown && fown->pid)
		return restore_fown(r, fd, fown);
	return fown && fcntl(fd, F_SETOWN, 0) < 0 ? fail(-errno, "F_SETOWN") : 0;
}

/*
 * The only way to make the kernel break a lease is to open the file. Its holder has been signalled before: no signal is
 * sent.
 */
static int break_lease(int fd, const struct held *h)
{
	int flags = h->breaking_to == LOCK_TYPE_READ ? O_RDONLY : O_WRONLY, opened, err;

	if (fcntl(fd, F_SETOWN, 0) < 0)
		return fail(-errno, "F_SETOWN");
	opened = proc_fd_open(fd, flags | O_NONBLOCK | O_NOCTTY);
	err = opened < 0 ? opened : 0;
	if (opened >= 0)
		close(opened);
	if (err != -EWOULDBLOCK)
		log_warn("fd %d: its lease was being broken, and no longer is: open: %s", h->fd, strerror(-err));
	return 0;
}

static int settle_lease(struct restore *r, const struct held *h)
{
	_cleanup_close_ int fd = restore_copy_fd(r, h->file);
	int err = fd < 0 ? fd : 0;

	if (err)
		return fail(err, "fd %d: copy the descriptor", h->fd);
	if (h->lock.breaking)
		err = break_lease(fd, h);
	return err ? err : settle_owner(r, fd, h);
}

/* After all have been acquired: opening a file breaks every lease on it. */
static int settle_leases(struct restore *r, const struct restore_locks *locks)
{
	int err = 0;

	for (size_t i = 0; !err && i < locks->n; i++) {
		LOG_SCOPE("pid %d", locks->v[i].task->t.pid);
		if (locks->v[i].lock.kind == LOCK_KIND_LEASE && locks->v[i].lock.type != LOCK_TYPE_NONE)
			err = settle_lease(r, &locks->v[i]);
	}
	return err;
}

static int locks_ready(struct restore *r)
{
	struct restore_locks *locks = *restore_kind_data(r, &locks_run);
	int err = 0;

	for (size_t i = 0, n; locks && !err && i < locks->n; i += n) {
		struct restore_task *rt = locks->v[i].task;

		for (n = 1; i + n < locks->n && locks->v[i + n].task == rt; n++)
			;
		LOG_SCOPE("pid %d", rt->t.pid);
		err = acquire_all(r, rt, &locks->v[i], n);
	}
	return err || !locks ? err : settle_leases(r, locks);
}

/* Nobody has it any more when all other locks are acquired. The lock is that of the open file, whoever acquires it. */
static int locks_opened_in_flight(struct restore *r, const struct file *file, int fd)
{
	const struct restore_locks *locks = *restore_kind_data(r, &locks_run);
	char what[128], holder[LOCKS_HOLDER_MAX];
	struct stat st = { 0 };
	int err;

	for (size_t i = 0; locks && i < locks->nr_in_flight; i++) {
		const struct held *h = &locks->in_flight[i];
		struct flock range;

		if (h->file != file || h->lock.type == LOCK_TYPE_NONE)
			continue;
		range = range_of(&h->lock);
		if (h->lock.kind == LOCK_KIND_OFD)
			err = fcntl(fd, F_OFD_SETLK, &range);
		else
			err = flock(fd, (range.l_type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
		if (!err)
			continue;
		err = -errno;
		fstat(fd, &st);
		return fail(err, "%s cannot be acquired again: %s", locks_describe(&h->lock, what, sizeof(what)),
			    find_holder(h, &st, holder));
	}
	return 0;
}

const struct run_kind locks_run = {
	.name = "lock",
	.survey = locks_survey,
	.save_fd = locks_save_fd,
	.link = locks_link,
	.check = locks_check,
	.opened_in_flight = locks_opened_in_flight,
	.ready = locks_ready,
};
