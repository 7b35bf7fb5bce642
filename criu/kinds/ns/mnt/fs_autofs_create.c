// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore of autofs mounts, in the first process of the tree: creates them without a daemon (fs_autofs_restore.c), with the directories
 * that are mounted on.
 */
#include <errno.h>
#include <linux/auto_fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/autofs.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

#define TRIES 50

static int set_attributes(int fd, const AutofsFile *f)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_sec = f->mtime, .tv_nsec = (long)f->mtime_nsec } };

	if (fchownat(fd, "", f->uid, f->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!f->has_target && fchmod(fd, f->mode) < 0)
		return -errno;
	return !f->has_target && f->has_mtime && futimens(fd, times) < 0 ? -errno : 0;
}

static int make_file(int root, const AutofsFile *f)
{
	char path[PATH_MAX], target[PATH_MAX], *slash;
	const char *name;

	if (str_format(path, sizeof(path), "%.*s", (int)f->path.len, (const char *)f->path.data) ||
	    str_format(target, sizeof(target), "%.*s", (int)f->target.len, (const char *)f->target.data))
		return -ENAMETOOLONG;
	slash = strrchr(path, '/');
	name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	_cleanup_close_ int dir = mount_find(root, slash ? path : "");
	if (dir < 0)
		return dir;
	if ((f->has_target ? symlinkat(target, dir, name) : mkdirat(dir, name, 0700)) < 0)
		return -errno;
	return 0;
}

/* Backwards, as the time of a directory changes when something is created in it. */
static int set_all_attributes(int root, const AutofsEntry *e)
{
	int err = 0;

	for (size_t i = e->n_files; !err && i; i--) {
		const AutofsFile *f = e->files[i - 1];
		char path[PATH_MAX];

		if (str_format(path, sizeof(path), "%.*s", (int)f->path.len, (const char *)f->path.data))
			return -ENAMETOOLONG;
		_cleanup_close_ int at = mount_find(root, path);
		_cleanup_close_ int dir = at < 0 || f->has_target ? -1 : open_at(at, ".", O_RDONLY | O_DIRECTORY, 0);

		err = at < 0 ? at : f->has_target ? set_attributes(at, f) : dir < 0 ? dir : set_attributes(dir, f);
	}
	return err;
}

/* As its daemon: only that may create directories, and only while there is one. */
static int fill(int root, const AutofsEntry *e)
{
	unsigned long timeout = (unsigned long)e->timeout;
	int err = 0;

	for (size_t i = 1; !err && i < e->n_files; i++)
		err = make_file(root, e->files[i]);
	if (!err)
		err = set_all_attributes(root, e);
	if (err)
		return err;
	return ioctl(root, AUTOFS_IOC_SETTIMEOUT, &timeout) < 0 || ioctl(root, AUTOFS_IOC_CATATONIC, 0) < 0 ? -errno :
													      0;
}

static char *options_of(const AutofsEntry *e, int pipe)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = buf_printf(&text, "fd=%d,minproto=%d,maxproto=%d,%s", pipe, e->minproto, e->maxproto,
			     autofs_mode_name(e->mode));

	if (!err && e->has_uid)
		err = buf_printf(&text, ",uid=%u", (unsigned)e->uid);
	if (!err && e->has_gid)
		err = buf_printf(&text, ",gid=%u", (unsigned)e->gid);
	if (!err && e->has_strictexpire && e->strictexpire)
		err = buf_printf(&text, ",strictexpire");
	if (!err && e->has_ignored && e->ignored)
		err = buf_printf(&text, ",ignore");
	return err ? NULL : strdup(text.data);
}

struct creation {
	struct restore *r;
	const struct mount *mount;
	struct autofs_restore *a;
	int fd;
};

/* --enable-fs autofs: that it has another number is known. */
static int check_number(const struct creation *c, uint32_t number)
{
	const char *at = MOUNT_NAME(c->mount);
	uint32_t dev = c->mount->fs->dev;

	if (number == dev || c->a->pipe < 0)
		return 0;
	if (!mount_type_is_enabled(c->r, "autofs"))
		return fail(
			-EBUSY,
			"mount %s is of type autofs: its device number 0:%u is in use here, and its daemon may find it only by that: try again, or use --enable-fs autofs to restore it with another one, and restart its daemon, or its unit of systemd, then",
			at, kdev_minor(dev));
	log_warn(
		"mount %s is of type autofs, and has the device number 0:%u instead of 0:%u: a daemon that finds it by that has to be restarted, or its unit of systemd",
		at, kdev_minor(number), kdev_minor(dev));
	return 0;
}

/* If others give up lower numbers meanwhile, it gets those first. */
static int create_numbered(const struct creation *c, const char *options)
{
	const struct autofs_numbers *numbers = mount_restore_data(c->r)->autofs;
	uint32_t number = 0, dev = c->mount->fs->dev;
	int fds[TRIES], n = 0, err;

	if (numbers && c->a->pipe >= 0)
		autofs_numbers_give_up(numbers, dev);
	do {
		fds[n] = mount_create_fs(c->mount, options);
		err = fds[n] < 0 ? fds[n] : autofs_number_of(fds[n], &number);
		n++;
	} while (!err && n < TRIES && number < dev && c->a->pipe >= 0);
	if (!err)
		err = check_number(c, number);
	for (int i = 0; i < n - (err ? 0 : 1); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err ? err : fds[n - 1];
}

/* In a process group of its own, in the pid namespace of the tree. */
static int create_here(void *arg)
{
	struct creation *c = arg;
	_cleanup_close_ int in = -1, out = -1;
	_cleanup_free_ char *options = NULL;
	int ends[2], err;

	if (setpgid(0, 0) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "mount %s: a pipe", MOUNT_NAME(c->mount));
	in = ends[0];
	out = ends[1];
	options = options_of(c->a->e, out);
	if (!options)
		return fail(-ENOMEM, "mounts");
	_cleanup_close_ int fd = create_numbered(c, options);
	if (fd < 0)
		return fd;
	_cleanup_close_ int root = open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	err = root < 0 ? root : fill(root, c->a->e);
	if (!err)
		err = c->a->root = dup_fd_above(root, c->r->service_base);
	if (err < 0)
		return fail(err, "mount %s: create its directories", MOUNT_NAME(c->mount));
	c->fd = steal_fd(&fd);
	return 0;
}

int autofs_create(struct restore *r, const struct mount *mount)
{
	struct creation c = { r, mount, mount->fs->data, -1 };
	int result = 0, err = ns_run_in(NULL, 0, create_here, &c, &result);

	if (err)
		return fail(err, "mount %s: create a process", MOUNT_NAME(mount));
	return result ? result : c.fd;
}
