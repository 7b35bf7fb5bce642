// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump of autofs mounts. The kernel writes requests to a pipe, which the daemon reads: it is a process of the tree. While it is
 * frozen, an access to what it has not mounted yet would wait forever, and would be a request that the tree has not made. So
 * nothing is looked up here but without triggering (O_PATH; "."), and a helper tries first whether a request is pending.
 */
#include "kinds/ns/mnt/autofs.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/whole.h"
#include "run/dump.h"
#include "run/helper_process.h"
#include "util/fds.h"
#include "util/log.h"

#define PATIENCE_MS 3000
#define DEPTH_MAX 64

/* ---- what the daemon has created on it ---- */

struct visit {
	int (*fn)(struct visit *v, const char *path, const struct stat *st, const char *target);
	struct dump *dump;
	AutofsEntry *entry;
};

static int walk(struct visit *v, int dir, const char *at, unsigned depth);

static int visit_one(struct visit *v, int dir, const char *path, unsigned depth)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_close_ int fd = open_at(dir, name, O_PATH | O_NOFOLLOW, 0);
	char target[PATH_MAX];
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (S_ISLNK(st.st_mode)) {
		ssize_t len = read_link(fd, "", target, sizeof(target));

		return len < 0 ? (int)len : v->fn(v, path, &st, target);
	}
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return -EOPNOTSUPP;
	err = v->fn(v, path, &st, NULL);
	if (err)
		return err;
	/* The kernel opens an empty directory, where its daemon is to mount something, only for that. */
	_cleanup_close_ int sub = open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	return sub == -ENOENT ? 0 : sub < 0 ? sub : walk(v, sub, path, depth + 1);
}

static int walk(struct visit *v, int dir, const char *at, unsigned depth)
{
	int copy = open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0), err = 0;
	_cleanup_closedir_ DIR *list = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *d;

	if (!list)
		return copy < 0 ? copy : -errno;
	while (!err && (d = readdir(list))) {
		char path[PATH_MAX];

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		err = str_format(path, sizeof(path), "%s%s%s", at, *at ? "/" : "", d->d_name);
		if (!err)
			err = visit_one(v, dir, path, depth);
	}
	return err;
}

static int pass_over(struct visit *v, const char *path, const struct stat *st, const char *target)
{
	return 0;
}

static int add_file(struct visit *v, const char *path, const struct stat *st, const char *target)
{
	AutofsEntry *e = v->entry;
	AutofsFile *file = dump_alloc(v->dump, sizeof(*file)), **files;

	/* The array doubles. */
	if (!(e->n_files & (e->n_files + 1))) {
		files = dump_alloc(v->dump, 2 * (e->n_files + 1) * sizeof(*files));
		if (files && e->n_files)
			memcpy(files, e->files, e->n_files * sizeof(*files));
		e->files = files;
	}
	if (!file || !e->files)
		return -ENOMEM;
	autofs_file__init(file);
	file->path = (ProtobufCBinaryData){ strlen(path), (uint8_t *)dump_strdup(v->dump, path) };
	file->mode = st->st_mode & 07777;
	file->uid = dump_uid_of(v->dump, st->st_uid);
	file->gid = dump_gid_of(v->dump, st->st_gid);
	file->has_mtime = file->has_mtime_nsec = true;
	file->mtime = st->st_mtim.tv_sec;
	file->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	file->has_target = target != NULL;
	if (target)
		file->target = (ProtobufCBinaryData){ strlen(target), (uint8_t *)dump_strdup(v->dump, target) };
	if (!file->path.data || (target && !file->target.data))
		return -ENOMEM;
	e->files[e->n_files++] = file;
	return 0;
}

/* ---- options ---- */

static bool has_word(const char *options, const char *word)
{
	while (*options) {
		size_t len = mount_option_len(options);

		if (len == strlen(word) && !memcmp(options, word, len))
			return true;
		options += len + (options[len] == ',');
	}
	return false;
}

static int get_number(const char *options, const char *name, int64_t *ret)
{
	_cleanup_free_ char *text = mount_option_value(options, name);
	char *end;

	if (!text)
		return -ENOENT;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || *end || end == text ? -EBADMSG : 0;
}

static int get_int(const char *options, const char *name, int32_t *ret)
{
	int64_t value = 0;
	int err = get_number(options, name, &value);

	if (!err && (value < INT32_MIN || value > INT32_MAX))
		err = -EBADMSG;
	if (!err)
		*ret = (int32_t)value;
	return err;
}

static int get_options(const char *options, AutofsEntry *e)
{
	const struct {
		const char *name;
		int32_t *to;
	} numbers[] = {
		{ "fd", &e->fd },
		{ "pgrp", &e->pgrp },
		{ "timeout", &e->timeout },
		{ "minproto", &e->minproto },
		{ "maxproto", &e->maxproto },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (get_int(options, numbers[i].name, numbers[i].to))
			return -EBADMSG;
	e->has_uid = !get_int(options, "uid", &e->uid);
	e->has_gid = !get_int(options, "gid", &e->gid);
	e->has_strictexpire = e->strictexpire = has_word(options, "strictexpire");
	e->has_ignored = e->ignored = has_word(options, "ignore");
	for (e->mode = 0; e->mode < AUTOFS_MODES; e->mode++)
		if (has_word(options, autofs_mode_name(e->mode)))
			return 0;
	return -EBADMSG;
}

/* ---- does a request wait? ---- */

struct trial {
	const struct mount *mount;
	pid_t tool;
};

/* It may never return: so it must not outlive the tool. */
static int try(void *arg)
{
	const struct trial *t = arg;
	struct visit v = { .fn = pass_over };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != t->tool)
		return 1;
	_cleanup_close_ int fd = mount_open_whole(t->mount);

	if (fd >= 0)
		walk(&v, fd, "", 0);
	return 0;
}

/*
 * Lookups wait for pending requests, and for the expiry of mounts. If a process of the tree waited, it could not have been stopped; one
 * outside of it can, by a path through /proc/PID/root.
 */
static int autofs_blocks(struct dump *dump, const struct ns *ns, const struct mount *mount)
{
	struct trial trial = { mount, getpid() };
	struct helper_job job = { .run = try, .arg = &trial };
	struct helper_process h = HELPER_NONE;
	int64_t ino = 0;
	int err = 0, n;

	/* Whoever waits, the pipe leads to the kernel. */
	if (!get_number(mount->info->sb_options, "pipe_ino", &ino) && hash_put(&dump->kernel_pipes, (uint64_t)ino, 1))
		return fail(-ENOMEM, "mounts");
	err = helper_start(&h, &job);
	if (err)
		return fail(err, "mount %s: start a process", MOUNT_NAME(mount));
	struct pollfd ended = { .fd = h.pidfd, .events = POLLIN };
	do
		n = poll(&ended, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		helper_wait(&h);
		return 0;
	}
	helper_abandon(&h);
	dump_transient_blocker(
		dump, dump_task_of(dump->tree.root), -1,
		"mount %s is of type autofs, and a process waits there for its daemon to mount something: try again when it has done so, or leave it out (--skip-mnt %s)",
		MOUNT_NAME(mount), MOUNT_NAME(mount));
	return 1;
}

/* ---- its daemon ---- */

struct daemon {
	struct dump_task *task;
	int reads; /* its descriptor */
	bool in_group;
	bool has_write_end; /* under the number of the mount's options */
};

/* O_ACCMODE; -1: it is another file. The link's own permissions are the access mode of the descriptor: proc_pid_fd(5) */
static int mode_of(int dir, const char *number, const char *name)
{
	char link[64];
	struct stat st;

	if (read_link(dir, number, link, sizeof(link)) < 0 || strcmp(link, name) ||
	    fstatat(dir, number, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return st.st_mode & S_IRUSR ? (st.st_mode & S_IWUSR ? O_RDWR : O_RDONLY) : O_WRONLY;
}

/* Its descriptors have not been copied yet. */
static int look_at(struct dump_task *task, const char *name, const AutofsEntry *e, struct daemon *ret)
{
	struct daemon found = { task, -1, task->stat.pgid == e->pgrp, false };
	int dir = open_at(task->proc.dir, "fd", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *list = dir < 0 ? NULL : fdopendir(dir);
	const struct dirent *d;

	if (!list)
		return fail(dir < 0 ? dir : -errno, "open /proc/%d/fd", task->t.host_pid);
	while ((d = readdir(list))) {
		int mode = d->d_name[0] == '.' ? -1 : mode_of(dirfd(list), d->d_name, name), fd = atoi(d->d_name);

		if (mode < 0)
			continue;
		if (mode != O_WRONLY && found.reads < 0)
			found.reads = fd;
		found.has_write_end |= mode != O_RDONLY && fd == e->fd;
	}
	if (found.reads >= 0 && (!ret->task || (found.in_group && !ret->in_group)))
		*ret = found;
	return 0;
}

/* The leader of the group is the most likely one. */
static int search(struct dump *dump, uint64_t ino, const AutofsEntry *e, struct daemon *ret)
{
	struct dump_task *task, *leader = dump_find_task(dump, e->pgrp);
	char name[64];
	int err = str_format(name, sizeof(name), "pipe:[%llu]", (unsigned long long)ino);

	if (!err && leader && leader->t.state != TASK_DEAD)
		err = look_at(leader, name, e, ret);
	dump_for_each_task(task, dump)
		if (!err && !ret->in_group && task != leader && task->t.state != TASK_DEAD)
			err = look_at(task, name, e, ret);
	return err;
}

/* Has it read all requests? */
static bool has_read_all(const struct daemon *d)
{
	_cleanup_close_ int pipe = sys_pidfd_getfd(d->task->pidfd, d->reads);
	int waiting = 0;

	return pipe < 0 || ioctl(pipe, FIONREAD, &waiting) < 0 || !waiting;
}

static const char *why_not(struct dump *dump, const struct daemon *d, const AutofsEntry *e)
{
	const struct ns *user = d->task ? d->task->ns[NS_USER] : NULL;

	if (!d->task)
		return "its daemon is not in the tree: dump that, too";
	if (!d->in_group)
		return "the process that reads its requests is not in the process group that may mount there: that is not supported";
	if (d->task->t.pid_ns || (user && !user->own))
		return "its daemon is in a nested pid namespace, or in a user namespace: that is not supported";
	if (!dump_pid_of(dump, e->pgrp))
		return "the process group of its daemon is that of a process outside of the tree: that is not supported";
	return NULL;
}

static void refuse(struct dump *dump, const struct mount *mount, const char *why)
{
	const char *at = MOUNT_NAME(mount);

	mount_blocker(
		dump,
		"mount %s is of type autofs, and %s; or make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
		at, why, at, at);
}

static int find_daemon(struct dump *dump, const struct mount *mount, AutofsEntry *e, uint64_t ino)
{
	struct daemon d = { NULL };
	int err = search(dump, ino, e, &d);
	const char *why;

	if (err)
		return err;
	why = why_not(dump, &d, e);
	if (why) {
		refuse(dump, mount, why);
		return 0;
	}
	e->has_daemon = e->has_daemon_fd = true;
	e->daemon = d.task->t.pid;
	e->daemon_fd = d.reads;
	e->has_read_fd = !d.has_write_end;
	e->read_fd = d.reads;
	if (!has_read_all(&d))
		dump_transient_blocker(
			dump, d.task, d.reads,
			"mount %s is of type autofs, and its daemon has not read a request yet: try again when it has done so",
			MOUNT_NAME(mount));
	return 0;
}

/* ---- */

static int autofs_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	const char *options = mount->info->sb_options;
	AutofsEntry *e = dump_alloc(dump, sizeof(*e));
	_cleanup_close_ int owner = -1;
	int64_t ino = 0, timeout = 0;
	int err = e ? mount_ns_owner(dump, ns, &owner) : fail(-ENOMEM, "mounts");

	if (err)
		return err;
	autofs_entry__init(e);
	mount->fs->data = e;
	if (owner >= 0)
		refuse(dump, mount, "in a user namespace a restore may not mount it");
	else if (!get_number(options, "timeout", &timeout) && timeout > INT32_MAX)
		refuse(dump, mount, "its timeout is too long");
	else if (get_options(options, e) || get_number(options, "pipe_ino", &ino))
		refuse(dump, mount, "this kernel does not show its options (or not pipe_ino)");
	else if (ino != -1)
		err = find_daemon(dump, mount, e, (uint64_t)ino);
	else
		e->fd = -1;
	e->pgrp = dump_pid_of(dump, e->pgrp);
	return err;
}

static int write_image(struct dump *dump, const struct mount *mount, const AutofsEntry *e)
{
	struct image_writer *img;
	int err = image_create(dump->dir, IMAGE_AUTOFS, mount->fs->dev, &img), closed;

	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	err = image_write_record(img, &e->base);
	closed = image_close(img);
	err = err ?: closed;
	return err ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int autofs_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct visit v = { add_file, dump, mount->fs->data };
	struct stat st;
	int err = fstat(dir_fd, &st) < 0 ? -errno : add_file(&v, "", &st, NULL);

	if (!err)
		err = walk(&v, dir_fd, "", 0);
	return err ? fail(err, "mount %s: read its directories", MOUNT_NAME(mount)) : write_image(dump, mount, v.entry);
}

const struct fs_type fs_type_autofs = {
	.name = "autofs",
	.number = FSTYPE__AUTOFS,
	.of_first = true,
	.survey = autofs_survey,
	.blocks = autofs_blocks,
	.save = autofs_save,
	.load = autofs_load,
	.create = autofs_create,
};
