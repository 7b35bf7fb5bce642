// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore of autofs mounts. Nothing may be requested before its daemon is there, but a path of the tree may lead through it, and the
 * pipe does not exist yet: so it is created without a daemon (catatonic), with the directories that are mounted on, and gets its pipe
 * from a process of the daemon's group, when all files have been opened. The new process group is always that of the caller, which must
 * be in the pid namespace of whoever has mounted it.
 */
#include <errno.h>
#include <linux/auto_dev-ioctl.h>
#include <linux/auto_fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "autofs.pb-c.h"
#include "base/cleanup.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/autofs.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "run/path.h"
#include "run/shared.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

#define CONTROL "/dev/autofs" /* style: of the tool */
#define PROTO_MIN 3
#define PROTO_MAX 5

/* ---- load ---- */

static int refuse(const struct mount *mount, const char *what)
{
	return fail(-EBADMSG, "autofs-%u.img: mount %s: %s", mount->fs->dev, MOUNT_NAME(mount), what);
}

static bool is_plain(const ProtobufCBinaryData *text)
{
	return text->len < PATH_MAX && !memchr(text->data, 0, text->len);
}

/* Only names of directories and links: nothing that leads out of it. Its root is the first one, and has no name. */
static bool is_path(const ProtobufCBinaryData *path, bool is_root)
{
	const char *at = (const char *)path->data, *end = at + path->len;

	if (!is_plain(path) || !path->len != is_root)
		return false;
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t len = (size_t)((slash ?: end) - at);

		if (!len || len > NAME_MAX || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += len + (slash != NULL);
		if (slash && at == end)
			return false;
	}
	return true;
}

static int check_record(const struct mount *mount, const AutofsEntry *e)
{
	if (e->mode < 0 || e->mode >= AUTOFS_MODES)
		return refuse(mount, "its mode");
	if (e->minproto < PROTO_MIN || e->maxproto > PROTO_MAX || e->minproto > e->maxproto || e->timeout < 0)
		return refuse(mount, "its versions or timeout");
	for (size_t i = 0; i < e->n_files; i++) {
		const AutofsFile *f = e->files[i];

		if (!is_path(&f->path, i == 0) || f->mode > 07777 || f->mtime_nsec >= 1000000000 ||
		    (f->has_target && (!i || !f->target.len || !is_plain(&f->target))))
			return refuse(mount, "a directory or link on it");
	}
	return 0;
}

static const struct task_fd *find_fd(const struct restore_task *rt, int fd)
{
	for (size_t i = 0; i < rt->nr_fds; i++)
		if (rt->fds[i].fd == fd)
			return &rt->fds[i];
	return NULL;
}

/* CRIU's images name only the group, which the daemon leads, and a descriptor of it. */
static int find_daemon(struct restore *r, const struct mount *mount, struct autofs_restore *a)
{
	const AutofsEntry *e = a->e;
	const struct restore_task *rt = restore_find_task(r, e->has_daemon ? e->daemon : e->pgrp);
	const struct task_fd *fd;

	a->pipe = e->has_daemon_fd ? e->daemon_fd : e->has_read_fd ? e->read_fd : e->fd;
	if (!rt || rt->t.state == TASK_DEAD || rt->helper || rt->t.pgid != e->pgrp || rt->t.pid_ns ||
	    (rt->ns[NS_USER] && !rt->ns[NS_USER]->own))
		return refuse(mount, "its daemon is not in the images, or not in its process group");
	fd = find_fd(rt, a->pipe);
	if (!fd || !fd->file || !fd->file->entry->pipe)
		return refuse(mount, "its daemon does not have its pipe");
	a->daemon = rt;
	return 0;
}

/* mountinfo still shows its group. */
static int find_former(struct restore *r, struct autofs_restore *a)
{
	const struct restore_task *rt = restore_find_task(r, a->e->pgrp);

	a->pipe = -1;
	if (rt && rt->t.state != TASK_DEAD && !rt->helper && rt->t.pgid == a->e->pgrp && !rt->t.pid_ns &&
	    (!rt->ns[NS_USER] || rt->ns[NS_USER]->own))
		a->daemon = rt;
	return 0;
}

int autofs_load(struct restore *r, const struct ns *ns, struct mount *mount)
{
	struct autofs_restore *a = arena_alloc_apart(&r->arena, sizeof(*a));
	AutofsEntry *e = NULL;
	int err;

	if (!a)
		return fail(-ENOMEM, "mounts");
	if (ns->owner)
		return fail(
			-EOPNOTSUPP,
			"mount %s is of type autofs, in a user namespace: that is not supported; leave it out of the dump",
			MOUNT_NAME(mount));
	err = restore_read_record(r, IMAGE_AUTOFS, mount->fs->dev, &autofs_entry__descriptor, &e);
	if (!err)
		err = check_record(mount, e);
	if (err)
		return err;
	*a = (struct autofs_restore){ .e = e, .root = -1, .control = -1 };
	mount->fs->data = a;
	return e->fd >= 0 ? find_daemon(r, mount, a) : find_former(r, a);
}

/* ---- in the tool ---- */

static struct autofs_restore *next(struct mount_fs **fs)
{
	for (; *fs; *fs = (*fs)->next)
		if ((*fs)->type && (*fs)->type->load == autofs_load && (*fs)->data)
			return (*fs)->data;
	return NULL;
}

#define for_each_autofs(a, fs, r)                                                                      \
	for ((fs) = mount_restore_data(r) ? mount_restore_data(r)->run.fs : NULL; ((a) = next(&(fs))); \
	     (fs) = (fs)->next)

static int open_control(const struct mount_fs *fs)
{
	int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, CONTROL, O_RDONLY);

	return fd < 0 ? fail(fd, "mount %s is of type autofs: open %s, which is needed to connect it with its daemon",
			     MOUNT_NAME(fs->whole), CONTROL) :
			fd;
}

static int hold_numbers(struct restore *r)
{
	struct autofs_numbers *numbers = arena_alloc_apart(&r->arena, sizeof(*numbers));
	_cleanup_buf_ struct buf wanted = { 0 };
	struct autofs_restore *a;
	struct mount_fs *fs;
	int err = 0;

	if (!numbers)
		return fail(-ENOMEM, "mounts");
	*numbers = AUTOFS_NO_NUMBERS;
	for_each_autofs(a, fs, r) if (!err && a->pipe >= 0) err = buf_add(&wanted, &fs->dev, sizeof(fs->dev));
	if (err || !wanted.len)
		return err ? fail(err, "mounts") : 0;
	mount_restore_data(r)->autofs = numbers;
	err = autofs_numbers_hold(numbers, (const uint32_t *)(const void *)wanted.data, wanted.len / sizeof(fs->dev),
				  r->service_base);
	return err ? fail(err, "reserve the device numbers of autofs mounts") : 0;
}

int autofs_prepare(struct restore *r)
{
	struct autofs_restore *a;
	struct mount_fs *fs;

	for_each_autofs(a, fs, r)
	{
		int fd = a->daemon ? open_control(fs) : -1;

		if (!a->daemon)
			continue;
		if (fd < 0)
			return fd;
		a->control = move_fd_above(fd, r->service_base);
		if (a->control < 0)
			return fail(a->control, "keep %s open", CONTROL);
	}
	return hold_numbers(r);
}

int autofs_check(struct restore *r)
{
	struct autofs_restore *a;
	struct mount_fs *fs;

	for_each_autofs(a, fs, r)
	{
		_cleanup_close_ int fd = a->daemon ? open_control(fs) : -1;

		if (a->daemon && fd < 0)
			return fd;
	}
	return 0;
}

void autofs_close(struct restore *r)
{
	struct autofs_restore *a;
	struct mount_fs *fs;

	for_each_autofs(a, fs, r)
	{
		if (a->control >= 0)
			close(a->control);
		if (a->root >= 0)
			close(a->root);
		a->control = a->root = -1;
	}
	if (mount_restore_data(r) && mount_restore_data(r)->autofs)
		autofs_numbers_end(mount_restore_data(r)->autofs);
}

/* ---- in its daemon ---- */

/* Is it still open there? */
static bool is_write_end(int fd, int reads)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat a, b;

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH) && !fstat(fd, &a) &&
	       !fstat(reads, &b) && S_ISFIFO(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int set_pipe(const struct autofs_restore *a, const struct mount *mount, int pipe)
{
	struct autofs_dev_ioctl param;

	init_autofs_dev_ioctl(&param);
	param.ioctlfd = a->root;
	param.setpipefd.pipefd = pipe;
	return ioctl(a->control, AUTOFS_DEV_IOCTL_SETPIPEFD, &param) < 0 ?
		       fail(-errno, "mount %s: connect it with its daemon", MOUNT_NAME(mount)) :
		       0;
}

/* Locks would end with any descriptor of a file; flush is an operation of its file system. */
static bool may_leave(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* What the daemon has there by now leaves its number for a moment. */
static int set_pipe_instead(const struct autofs_restore *a, const struct mount *mount, int pipe, int base)
{
	int number = a->e->fd, flags = fcntl(number, F_GETFD), err;
	_cleanup_close_ int saved = dup_fd_above(number, base);

	if (saved < 0 || dup3(pipe, number, O_CLOEXEC) < 0)
		return fail(saved < 0 ? saved : -errno, "move descriptor %d", number);
	err = set_pipe(a, mount, number);
	if (dup3(saved, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		err = fail(-errno, "move descriptor %d", number);
	return err;
}

/* mountinfo shows the number of the descriptor: the same one, if that is possible. */
static int set_pipe_as(const struct autofs_restore *a, const struct mount *mount, int pipe, int base)
{
	int number = a->e->fd, err;

	if (pipe == number)
		return set_pipe(a, mount, pipe);
	if (fcntl(number, F_GETFD) >= 0)
		return number < base && may_leave(number) ? set_pipe_instead(a, mount, pipe, base) :
							    set_pipe(a, mount, pipe);
	if (dup3(pipe, number, O_CLOEXEC) < 0)
		return set_pipe(a, mount, pipe);
	err = set_pipe(a, mount, number);
	close(number);
	return err;
}

static int connect_daemon(const struct restore *r, const struct autofs_restore *a, const struct mount *mount)
{
	_cleanup_close_ int pipe = -1;

	if (is_write_end(a->e->fd, a->pipe))
		return set_pipe(a, mount, a->e->fd);
	/* O_NONBLOCK: it fails if there is no reader. The kernel clears the flag. */
	pipe = proc_fd_open(a->pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe < 0)
		return fail(pipe, "mount %s: open the pipe of its daemon (descriptor %d)", MOUNT_NAME(mount), a->pipe);
	return set_pipe_as(a, mount, pipe, r->service_base);
}

static int note_group(const struct autofs_restore *a, const struct mount *mount)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "mount %s: a pipe", MOUNT_NAME(mount));
	err = set_pipe(a, mount, ends[1]);
	if (!err && ioctl(a->root, AUTOFS_IOC_CATATONIC, 0) < 0)
		err = fail(-errno, "mount %s: disconnect it", MOUNT_NAME(mount));
	close(ends[0]);
	close(ends[1]);
	return err;
}

/* When nobody opens a file of the tree any more: that would wait for the daemon. */
static int autofs_apply(struct restore *r, struct restore_task *rt)
{
	struct autofs_restore *a;
	struct mount_fs *fs;
	int err;

	for_each_autofs(a, fs, r)
	{
		if (a->daemon != rt)
			continue;
		err = shared_wait(r->shared, STAGE_FILES);
		if (!err)
			err = a->pipe < 0 ? note_group(a, fs->whole) : connect_daemon(r, a, fs->whole);
		if (err)
			return err;
	}
	return 0;
}

const struct task_kind autofs_kind = {
	.name = "autofs",
	.apply = autofs_apply,
};
