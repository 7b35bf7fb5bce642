// SPDX-License-Identifier: GPL-2.0-only
/* fs_entry: working directory, root, umask. chroot(2), chdir(2), umask(2) */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/path.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define DELETED " (deleted)"

/* ---- dump ---- */

/* Places that tasks of this dump had last: mount and entry, by their addresses. */
struct known_places {
	struct {
		uint64_t at[2];
		uint32_t id;
	} v[4];
	unsigned next;
};

static struct known_places *places_of(struct dump *dump)
{
	void **data = dump_kind_data(dump, &fs_kind);

	if (!*data)
		*data = dump_alloc(dump, sizeof(struct known_places));
	return *data;
}

static int ask_place(struct dump *dump, struct dump_task *task, const char *name, uint32_t *ret_id)
{
	char link[PATH_MAX + sizeof(DELETED)];
	ssize_t len = proc_link(&task->proc, name, link, sizeof(link));

	if (len < 0)
		return fail((int)len, "read /proc/%d/%s", task->t.host_pid, name);
	_cleanup_close_ int fd = proc_open_file(&task->proc, name, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fail(fd, "open /proc/%d/%s (%s)", task->t.host_pid, name, link);
	LOG_SCOPE("%s %s", name, link);
	return dump->path_file_id(dump, &(struct dump_path){ task, fd, link, O_RDONLY }, ret_id);
}

static int save_place(struct dump *dump, struct dump_task *task, const char *name, uint32_t *ret_id)
{
	const struct kernel_task *k = task->kernel;
	const uint64_t *at = !k ? NULL : strcmp(name, "cwd") ? k->root : k->cwd;
	struct known_places *known = at ? places_of(dump) : NULL;

	if (!known)
		return ask_place(dump, task, name, ret_id);
	for (size_t i = 0; i < ARRAY_SIZE(known->v); i++) {
		if (!known->v[i].id || memcmp(known->v[i].at, at, sizeof(known->v[i].at)))
			continue;
		*ret_id = known->v[i].id;
		return 0;
	}
	int err = ask_place(dump, task, name, ret_id);
	unsigned i = known->next++ % ARRAY_SIZE(known->v);
	memcpy(known->v[i].at, at, sizeof(known->v[i].at));
	known->v[i].id = err ? 0 : *ret_id;
	return err;
}

static int fs_save(struct dump *dump, struct dump_task *task)
{
	FsEntry fs = FS_ENTRY__INIT;
	int err = save_place(dump, task, "cwd", &fs.cwd_id);

	if (!err)
		err = save_place(dump, task, "root", &fs.root_id);
	if (err)
		return err;
	fs.has_umask = task->status.has_umask;
	fs.umask = task->status.umask;
	err = image_write_single(dump->dir, IMAGE_FS, task->t.pid, &fs.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* ---- restore ---- */

static int fs_load(struct restore *r, struct restore_task *task)
{
	const FsEntry *fs = task->fs;

	if (!task->fs_owner || task->t.state == TASK_DEAD)
		return 0;
	if (!fs)
		return fail(-ENOENT, "fs-%d.img is missing", task->t.pid);
	if (fs->has_umask && fs->umask & ~0777u)
		return fail(-EBADMSG, "fs-%d.img: umask is 0%o", task->t.pid, fs->umask);
	if (!restore_file(r, fs->cwd_id, "cwd_id of an fs image") ||
	    !restore_file(r, fs->root_id, "root_id of an fs image"))
		return -EBADMSG;
	return 0;
}

/* A descriptor of the directory that the file with this id is. */
static int open_place(struct restore *r, uint32_t id, const char *name,
		      int (*open_file)(struct restore *, struct file *))
{
	struct file *file = restore_file(r, id, name);

	if (!file)
		return -EBADMSG;
	int fd = open_file(r, file);
	struct stat st;
	if (fd >= 0 && !fstat(fd, &st) && !S_ISDIR(st.st_mode)) {
		close(fd);
		return fail(-ENOTDIR, "%s: what lies there is no directory", name);
	}
	return fd;
}

static bool is_our_root(int fd)
{
	struct stat want, now;

	return !fstat(fd, &want) && !path_stat(&PATH_OWN, PATH_ROOT_MOUNT, "/", true, &now) &&
	       want.st_dev == now.st_dev && want.st_ino == now.st_ino;
}

static const char *place_path(struct restore *r, uint32_t id)
{
	struct file *file = restore_file(r, id, "fs");

	return file && file->entry->reg ? file->entry->reg->name : NULL;
}

/*
 * Does the task see its directory by the name it knew? A mount over it or a move would show here. Below a root of its own
 * /proc tells another name than at the dump.
 */
static void compare_cwd(struct restore *r, const FsEntry *fs)
{
	const char *want = place_path(r, fs->cwd_id), *root = place_path(r, fs->root_id);
	char now[PATH_MAX + sizeof(DELETED)];
	ssize_t len = read_link(proc_root(), "self/cwd", now, sizeof(now));

	if (!want || !root || strcmp(root, "/") || len < 0 || str_has_suffix(now, DELETED) ||
	    str_has_suffix(want, DELETED))
		return;
	if (strcmp(want, now))
		log_warn("the working directory was %s and is %s now", want, now);
}

/* Set-user-ID programs trust the files of their root: one that anybody could open will not do. */
static int change_root(struct restore *r, const FsEntry *fs)
{
	_cleanup_close_ int seen = open_place(r, fs->root_id, "root", restore_open_file), root = -1;

	if (seen < 0 || is_our_root(seen))
		return seen < 0 ? seen : 0;
	if (rights_need(&r->rights, RIGHT_CHANGE_ROOT, "change the root to %s", place_path(r, fs->root_id)))
		return -EPERM;
	root = open_place(r, fs->root_id, "root", restore_open_file_proven);
	if (root < 0)
		return root;
	if (fchdir(root) || chroot("."))
		return fail(-errno, "change the root to %s", place_path(r, fs->root_id));
	return 0;
}

static int fs_apply(struct restore *r, struct restore_task *task)
{
	const FsEntry *fs = task->fs;

	if (!fs || !task->fs_owner)
		return 0;
	/* Both are looked up by paths that only the root of before gives a meaning. */
	_cleanup_close_ int cwd = open_place(r, fs->cwd_id, "cwd", restore_open_file);
	if (cwd < 0)
		return cwd;
	int err = change_root(r, fs);
	if (err)
		return err;
	if (fchdir(cwd))
		return fail(-errno, "change the directory to %s", place_path(r, fs->cwd_id));
	compare_cwd(r, fs);
	if (fs->has_umask)
		umask(fs->umask);
	return 0;
}

const struct task_kind fs_kind = {
	.name = "fs",
	.save_images = fs_save,
	.load = fs_load,
	.apply = fs_apply,
};
