// SPDX-License-Identifier: GPL-2.0-only
/* fs_entry: working directory, root, umask. chroot(2), chdir(2), umask(2) */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/opener.h"
#include "run/path.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define DELETED " (deleted)"
#define PLACES_MAX 8

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

/* A directory that a process has opened before it forked, for all that have the same one. */
struct place {
	uint32_t id;
	int fd;
	bool as_named; /* seen by the name that it has in the images */
};

/* Of a process: its own, or its maker's. */
struct places {
	struct place v[PLACES_MAX];
	size_t n;
	bool knows_root;
	uint32_t our_root; /* the id of the directory that is our own root already */
};

static struct place *find_place(struct restore *r, uint32_t id)
{
	struct places *p = *restore_kind_data(r, &fs_kind);

	for (size_t i = 0; p && i < p->n; i++)
		if (p->v[i].id == id)
			return &p->v[i];
	return NULL;
}

static bool is_known_root(struct restore *r, uint32_t id)
{
	const struct places *p = *restore_kind_data(r, &fs_kind);

	return p && p->knows_root && p->our_root == id;
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
		return fail(-ENOTDIR, "%s: not a directory", name);
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
 * Is the directory seen by the name that it had? A mount over it or a move would show here. Below a root of its own
 * /proc tells another name than at the dump. @link: of it in /proc.
 */
static bool is_as_named(struct restore *r, const FsEntry *fs, const char *link, char *ret_now, size_t size)
{
	const char *want = place_path(r, fs->cwd_id), *root = place_path(r, fs->root_id);
	ssize_t len = read_link(proc_root(), link, ret_now, size);

	return !want || !root || strcmp(root, "/") || len < 0 || str_has_suffix(ret_now, DELETED) ||
	       str_has_suffix(want, DELETED) || !strcmp(want, ret_now);
}

static void compare_cwd(struct restore *r, const FsEntry *fs)
{
	char now[PATH_MAX + sizeof(DELETED)];

	if (!is_as_named(r, fs, "self/cwd", now, sizeof(now)))
		log_warn("the working directory was %s and is %s now", place_path(r, fs->cwd_id), now);
}

/* Set-user-ID programs trust the files of their root: it must not be one that any user could provide. */
static int change_root(struct restore *r, const FsEntry *fs)
{
	_cleanup_close_ int seen = -1, root = -1;

	if (is_known_root(r, fs->root_id))
		return 0;
	seen = open_place(r, fs->root_id, "root", restore_open_file);
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
	const struct place *known = find_place(r, fs->cwd_id);
	_cleanup_close_ int cwd = known ? -1 : open_place(r, fs->cwd_id, "cwd", restore_open_file);
	if (!known && cwd < 0)
		return cwd;
	int err = change_root(r, fs);
	if (err)
		return err;
	if (fchdir(known ? known->fd : cwd))
		return fail(-errno, "change the directory to %s", place_path(r, fs->cwd_id));
	if (!known || !known->as_named)
		compare_cwd(r, fs);
	if (fs->has_umask)
		umask(fs->umask);
	return 0;
}

static int keep_cwd(struct restore *r, const FsEntry *fs, struct places *p)
{
	char now[PATH_MAX + sizeof(DELETED)], link[32];
	int fd;

	if (find_place(r, fs->cwd_id) || p->n == PLACES_MAX)
		return 0;
	fd = open_place(r, fs->cwd_id, "cwd", restore_open_file_for_all);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "self/fd/%d", fd);
	p->v[p->n++] = (struct place){ fs->cwd_id, fd, is_as_named(r, fs, link, now, sizeof(now)) };
	return 0;
}

static int keep_root(struct restore *r, const FsEntry *fs, struct places *p)
{
	_cleanup_close_ int fd = -1;

	if (p->knows_root)
		return 0;
	fd = open_place(r, fs->root_id, "root", restore_open_file_for_all);
	if (fd < 0)
		return fd;
	p->knows_root = is_our_root(fd);
	p->our_root = fs->root_id;
	return 0;
}

/*
 * What it forks mostly has the same directories. Where tasks differ in rights each has to be able to open them itself; one
 * that lives in another one's memory would tell that one numbers that only its own table has.
 */
static int fs_at_birth(struct restore *r, const struct restore_task *task)
{
	struct places *p = *restore_kind_data(r, &fs_kind);
	int err;

	if (!task->fs || !task->forks || restore_is_vm_peer(task) || r->tool.untrusted || audience_of_all(r) ||
	    restore_enters_late(r))
		return 0;
	if (!p) {
		p = restore_alloc(r, sizeof(*p));
		if (!p)
			return fail(-ENOMEM, "directories");
		*restore_kind_data(r, &fs_kind) = p;
	}
	err = keep_cwd(r, task->fs, p);
	return err ? err : keep_root(r, task->fs, p);
}

const struct run_kind fs_run = {
	.name = "fs",
	.at_birth = fs_at_birth,
};

const struct task_kind fs_kind = {
	.name = "fs",
	.save_images = fs_save,
	.load = fs_load,
	.apply = fs_apply,
};
