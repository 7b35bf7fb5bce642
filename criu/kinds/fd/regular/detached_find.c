// SPDX-License-Identifier: GPL-2.0-only
/* Finds the mounts that are attached nowhere, by descriptors that may keep them, and those that are mounted in them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/fdinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/detached_internal.h"
#include "kinds/fd/regular/internal.h"
#include "run/external.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/hash.h"

/* For `criu check`, where the tree runs: now. */
static bool has_been_mounted(const struct dump_task *task, int mnt_id)
{
	_cleanup_mountinfo_ struct mountinfo now = { 0 };

	return !mountinfo_read(&task->proc, &now) && mountinfo_find(&now, mnt_id);
}

int detached_is_mounted(const struct dump *dump, const struct dump_task *task, int mnt_id)
{
	_cleanup_mountinfo_ struct mountinfo own = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (mountinfo_find(&dump->mounts, mnt_id) || (dump_is_check(dump) && has_been_mounted(task, mnt_id)))
		return 1;
	err = proc_open_self(&self);
	if (!err)
		err = mountinfo_read(&self, &own);
	return err ? fail(err, "read the mounts of this program") : mountinfo_find(&own, mnt_id) != NULL;
}

bool detached_may_keep(unsigned flags, const struct stat *st, const char *link, const struct statx *sx)
{
	return (flags & ~(unsigned)O_CLOEXEC) == O_PATH && (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode)) &&
	       !strcmp(link, "/") && sx->stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Of a descriptor that is not known yet: itself, if it may be the keeper; -ENOENT: it is not. */
static int open_keeper_at(const struct dump *dump, const struct dump_task *task, int number, int *ret_mnt_id)
{
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_close_ int fd = -1;
	char path[32], link[8] = "", name[64];
	struct statx sx;
	struct stat st;

	snprintf(path, sizeof(path), "fd/%d", number);
	if (read_link(task->proc.dir, path, link, sizeof(link)) != 1 || fdinfo_read(&task->proc, number, &info))
		return -ENOENT;
	fd = open_at(task->proc.dir, path, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ||
	    !detached_may_keep(info.flags, &st, link, &sx))
		return -ENOENT;
	*ret_mnt_id = (int)sx.stx_mnt_id;
	regular_external_name(fd, &st, name, sizeof(name));
	return external_is_given(dump->opts, name) ? -ENOENT : steal_fd(&fd);
}

static struct detached *add(struct dump *dump, int mnt_id)
{
	struct record_table *all = &regular_dump_data(dump)->detached;
	struct detached *d = record_new(&dump->arena, all, 0, (uint64_t)mnt_id, sizeof(*d));

	if (!d)
		fail(-ENOMEM, "mounts");
	else
		d->mnt_id = mnt_id;
	return d;
}

static struct detached *known(struct dump *dump, int mnt_id)
{
	return record_find(&regular_dump_data(dump)->detached, 0, (uint64_t)mnt_id);
}

/* One that is mounted in @top, whose root is @fd; what cannot be found there is refused with that. */
static int add_part(struct dump *dump, struct detached *top, int fd, const struct mount_info *is)
{
	const struct path_roots roots = { .root = fd, .inside = fd };
	_cleanup_close_ int root = path_open(&roots, PATH_ROOT_MOUNT, is->mountpoint, O_PATH | O_NOFOLLOW);
	struct detached *part;
	struct statx sx;

	if (root < 0 || statx(root, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 || known(dump, (int)sx.stx_mnt_id))
		return 0;
	part = add(dump, (int)sx.stx_mnt_id);
	if (!part)
		return -ENOMEM;
	part->alive = part->kept = true;
	part->top = top;
	return 0;
}

static int note_copy(struct dump *dump, struct detached *d, int fd, const struct detached_copy *copy)
{
	const struct mount_info *is = mountinfo_find(&copy->mounts, copy->mnt_id);
	struct detached_parts parts = { 0 };
	int own = is ? detached_is_own_fs(dump, is) : 0, err = own < 0 ? own : 0;

	d->is_proc = own > 0 && mnt_is_proc(is->fstype);
	d->saved = own > 0 && !d->is_proc;
	if (d->saved && hash_put(&dump->saved_fs, kdev_make(is->dev_major, is->dev_minor), 1))
		err = fail(-ENOMEM, "mounts");
	if (!err && detached_copy_parts(copy, &parts))
		err = fail(-ENOMEM, "mounts");
	for (size_t i = 1; !err && i < parts.n; i++)
		err = add_part(dump, d, fd, parts.v[i]);
	array_free(&parts);
	return err;
}

/* @fd may keep it. */
static int add_kept(struct dump *dump, const struct dump_task *task, int fd, int mnt_id)
{
	int err = detached_is_mounted(dump, task, mnt_id);
	struct detached_copy copy = DETACHED_COPY(fd);
	struct detached *d;

	if (err || known(dump, mnt_id))
		return err < 0 ? err : 0;
	d = add(dump, mnt_id);
	if (!d)
		return -ENOMEM;
	copy.read = true;
	/* Before Linux 6.15, or if nothing keeps it, there are no copies. */
	d->alive = d->kept = !detached_copy_make(task, &copy);
	err = d->alive ? note_copy(dump, d, fd, &copy) : 0;
	detached_copy_free(&copy);
	return err;
}

static int add_kept_by(struct dump *dump, const struct dump_task *task)
{
	struct int_array fds = { 0 };
	int err = 0;

	if (proc_fds(&task->proc, &fds))
		return 0; /* it has ended, during a check */
	for (size_t i = 0; !err && i < fds.n; i++) {
		int mnt_id;
		_cleanup_close_ int fd = open_keeper_at(dump, task, fds.v[i], &mnt_id);

		if (fd >= 0)
			err = add_kept(dump, task, fd, mnt_id);
	}
	array_free(&fds);
	return err;
}

/* All that descriptors of the tree keep, when the first one is needed. */
static int find_kept(struct dump *dump)
{
	struct regular_dump *data = regular_dump_data(dump);
	struct dump_task *task;
	int err = 0;

	if (data->detached_found)
		return 0;
	data->detached_found = true;
	dump_for_each_task(task, dump)
		if (!err)
			err = add_kept_by(dump, task);
	return err;
}

struct detached *detached_find(struct dump *dump, const struct subject *s, int mnt_id)
{
	struct detached *d;

	if (!regular_dump_data(dump)) {
		fail(-ENOMEM, "mounts");
		return NULL;
	}
	if (find_kept(dump))
		return NULL;
	d = known(dump, mnt_id);
	if (d)
		return d;
	d = add(dump, mnt_id);
	if (d)
		d->alive = detached_is_alive(s);
	return d;
}
