// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a mount that is attached nowhere with the descriptor that keeps it (detached.c): what it is, and what a restore can copy it from, or the content of
 * a file system that is attached nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "run/trusted_path.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/str.h"

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

struct saved_mount {
	DetachedMountEntry *entry;
	const char *why; /* it cannot be saved; NULL: it is */
};

/* ---- what it is ---- */

struct copy {
	int local; /* a descriptor on it */
	bool read; /* shall it be attached, to read these? */
	int mnt_id;
	struct mountinfo mounts;
	int root; /* of a directory: opened to be read, without changing access times; -1: it could not be */
};
#define NO_COPY(fd) ((struct copy){ .local = (fd), .root = -1 })

static int open_root(int local)
{
	struct mount_attr noatime = { .attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME };
	_cleanup_close_ int fd = open_tree(local, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &noatime, sizeof(noatime)) < 0)
		return -errno;
	return open_at(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/* A file can only be attached to another one, of a new file system. */
static int attach_file(int fd, int root)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1, file = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0 || move_mount(mount, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	file = open_at(mount, "file", O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
	if (file < 0)
		return file;
	return move_mount(fd, "", file, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

static int attach_apart(int fd)
{
	struct mount_attr apart = { .propagation = MS_PRIVATE };
	_cleanup_close_ int root = -1;
	struct stat st;

	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	root = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY); /* style: of this process */
	if (root < 0)
		return root;
	if (fstat(fd, &st) < 0 || mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &apart, sizeof(apart)) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return attach_file(fd, root);
	if (move_mount(fd, "", root, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* In a process of its own, in the mount namespace of the task. */
static int make_copy(void *arg)
{
	struct copy *copy = arg;
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_close_ int fd =
		open_tree(copy->local, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct statx sx = { 0 };
	int err;

	if (fd < 0)
		return -errno;
	if (!copy->read)
		return 0;
	copy->root = open_root(copy->local);
	err = attach_apart(fd);
	if (!err && statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		err = -errno;
	copy->mnt_id = (int)sx.stx_mnt_id;
	if (!err)
		err = proc_open_self(&self);
	return err ? err : mountinfo_read(&self, &copy->mounts);
}

static int copy_of(const struct dump_task *task, struct copy *copy)
{
	_cleanup_close_ int ns = open_fmt(task->proc.dir, O_RDONLY | O_CLOEXEC, "ns/mnt");
	int result = 0, err = ns < 0 ? ns : ns_run_in(&ns, 1, make_copy, copy, &result);

	return err ? err : result;
}

bool detached_is_alive(const struct subject *s)
{
	struct copy copy = NO_COPY(s->local);

	return !copy_of(s->task, &copy);
}

static void copy_free(struct copy *copy)
{
	mountinfo_free(&copy->mounts);
	cleanup_close(&copy->root);
}

static bool has_submounts(const struct copy *copy)
{
	const struct mount_info *m;

	array_for_each(m, &copy->mounts)
		if (m->parent_id == copy->mnt_id)
			return true;
	return false;
}

/* False: there is something that mount_setattr(2) cannot set. */
static bool attributes_of(const char *options, uint64_t *ret)
{
	static const struct {
		const char *word;
		uint64_t attribute;
	} known[] = {
		{ "rw", 0 },
		{ "ro", MOUNT_ATTR_RDONLY },
		{ "nosuid", MOUNT_ATTR_NOSUID },
		{ "nodev", MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC },
		{ "nodiratime", MOUNT_ATTR_NODIRATIME },
		{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW },
		{ "noatime", MOUNT_ATTR_NOATIME },
		{ "relatime", MOUNT_ATTR_RELATIME },
	};
	bool has_atime = false;

	*ret = 0;
	for (const char *word = options; *word;) {
		size_t len = strcspn(word, ","), i = 0;

		while (i < ARRAY_SIZE(known) && (strncmp(word, known[i].word, len) != 0 || known[i].word[len]))
			i++;
		if (i == ARRAY_SIZE(known))
			return false;
		*ret |= known[i].attribute;
		has_atime |= str_has_prefix(word, "relatime") || str_has_prefix(word, "noatime");
		word += len + (word[len] == ',');
	}
	if (!has_atime)
		*ret |= MOUNT_ATTR_STRICTATIME;
	return true;
}

/* ---- what it can be copied from ---- */

/* What mount_setattr(2) is to make of a copy of @source; 0: nothing. False: that cannot be done. */
static bool find_propagation(const struct mount_info *source, const struct mount_info *is, int *ret)
{
	*ret = 0;
	if (is->unbindable)
		return false;
	if (!is->shared_id && !is->master_id)
		*ret = MS_PRIVATE;
	else if (is->shared_id != source->shared_id || is->master_id != source->master_id)
		*ret = MS_SLAVE;
	return *ret != MS_SLAVE || (!is->shared_id && is->master_id == source->shared_id);
}

/* The path that leads through @mount to @root of its file system; NULL: none. */
static char *path_through(struct dump *dump, const struct mount_info *mount, const char *root)
{
	const char *base = strcmp(mount->root, "/") != 0 ? mount->root : "";
	const char *point = strcmp(mount->mountpoint, "/") != 0 ? mount->mountpoint : "";
	const char *rest = root + strlen(base);

	if (!str_has_prefix(root, base) || (*rest && *rest != '/'))
		return NULL;
	rest = strcmp(rest, "/") != 0 ? rest : "";
	return dump_printf(dump, "%s%s%s", point, rest, *point || *rest ? "" : "/");
}

static int path_flags(const struct subject *s)
{
	return O_PATH | O_NOFOLLOW | (S_ISDIR(s->st.st_mode) ? O_DIRECTORY : 0);
}

/* An O_PATH descriptor of it, if it is the directory or file @s, and on that mount; or -errno. */
static int open_through(const struct dump *dump, const struct subject *s, const struct mount_info *mount,
			const char *path)
{
	_cleanup_close_ int fd = path_open(&dump->roots, mount->mnt_id, path, (unsigned)path_flags(s));
	struct statx sx;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return -errno;
	return st.st_dev == s->st.st_dev && st.st_ino == s->st.st_ino && (int)sx.stx_mnt_id == mount->mnt_id ?
		       steal_fd(&fd) :
		       -ENOENT;
}

struct source {
	int fd; /* O_PATH; -1: there is none */
	int mnt_id;
	const char *path;
	int propagation;
};

static int find_source(struct dump *dump, const struct subject *s, const struct mount_info *is, struct source *ret)
{
	const struct mount_info *m;

	array_for_each(m, &dump->mounts) {
		const char *path;
		int propagation;

		if (ret->fd >= 0 || !find_propagation(m, is, &propagation) || m->ns != s->task->ns[NS_MNT]->id ||
		    m->dev_major != is->dev_major || m->dev_minor != is->dev_minor)
			continue;
		path = path_through(dump, m, is->root);
		if (path)
			*ret = (struct source){ open_through(dump, s, m, path), m->mnt_id, path, propagation };
	}
	return ret->fd;
}

/* A file system of the tree's own gets other inodes: it is recognized only by its path. */
static bool is_certain(const struct dump *dump, const struct subject *s, const struct source *source)
{
	char why[TRUST_WHY_MAX] = "";
	uint64_t any;
	int fd;

	if (s->birth && !hash_get(&dump->saved_fs, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)), &any))
		return true;
	fd = trusted_path_open(NULL, path_from(&dump->roots, source->mnt_id, source->path), false, why);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- a file system of its own ---- */

static bool shows_device_of(const struct mountinfo *mounts, const struct mount_info *is)
{
	const struct mount_info *m;

	array_for_each(m, mounts)
		if (m->dev_major == is->dev_major && m->dev_minor == is->dev_minor)
			return true;
	return false;
}

/* No mount of the tree, or of the namespace of this program, shows it. */
static int is_own_fs(const struct dump *dump, const struct mount_info *is)
{
	_cleanup_mountinfo_ struct mountinfo own = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (!mnt_saves_unattached(is->fstype) || strcmp(is->root, "/") != 0 || shows_device_of(&dump->mounts, is))
		return 0;
	err = proc_open_self(&self);
	if (!err)
		err = mountinfo_read(&self, &own);
	return err ? fail(err, "read the mounts of this program") : !shows_device_of(&own, is);
}

int detached_note_fs(struct dump *dump, const struct dump_task *task, int fd)
{
	struct copy copy = NO_COPY(fd);
	const struct mount_info *is;
	int own = 0;

	copy.read = true;
	if (!copy_of(task, &copy)) {
		is = mountinfo_find(&copy.mounts, copy.mnt_id);
		own = is ? is_own_fs(dump, is) : 0;
		if (own > 0 && hash_put(&dump->saved_fs, kdev_make(is->dev_major, is->dev_minor), 1))
			own = fail(-ENOMEM, "mounts");
	}
	copy_free(&copy);
	return own;
}

static int save_fs(struct dump *dump, const struct subject *s, const struct copy *copy, const struct mount_info *is,
		   struct saved_mount *ret)
{
	DetachedMountEntry *entry = ret->entry;

	if (is->master_id)
		ret->why = "a slave of another mount";
	else if (copy->root < 0)
		ret->why = "and it cannot be read without changing access times";
	if (ret->why)
		return 0;
	entry->has_propagation = true;
	entry->propagation = is->shared_id ? MS_SHARED : MS_PRIVATE;
	return mnt_save_unattached(dump, s->task, is, copy->root, &entry->fs);
}

/* ---- saving it with its keeper ---- */

static bool nests_pid_namespaces(struct dump *dump)
{
	struct ns *ns;
	size_t n = 0;

	ns_for_each(ns, &dump->namespaces, NS_PID)
		n++;
	return n > 1;
}

/* A copy of something that is attached. */
static int save_source(struct dump *dump, const struct subject *s, const struct mount_info *is, struct saved_mount *ret)
{
	struct source source = { .fd = -1 };
	struct dump_path path = { .task = s->task, .flags = (unsigned)path_flags(s) };
	int err = 0;

	if (find_source(dump, s, is, &source) < 0)
		ret->why = dump_printf(
			dump,
			"of a file system of type %s, and no attached mount of its namespace shows the same file or directory (in the same peer group)",
			is->fstype);
	else if (!is_certain(dump, s, &source))
		ret->why = "and others than root could put another one in the place of the one that it is a copy of";
	path.local = source.fd;
	path.link = source.path;
	if (!ret->why)
		err = dump->path_file_id(dump, &path, &ret->entry->source_id);
	if (source.fd >= 0)
		close(source.fd);
	ret->entry->has_source_id = true;
	ret->entry->has_propagation = source.propagation != 0;
	ret->entry->propagation = (uint32_t)source.propagation;
	return err;
}

static int save_mount(struct dump *dump, const struct subject *s, const struct copy *copy, struct saved_mount *ret)
{
	const struct mount_info *is = mountinfo_find(&copy->mounts, copy->mnt_id);
	int own = 0;

	if (!is)
		ret->why = "and this kernel does not show what it is";
	else if (has_submounts(copy))
		ret->why = "and others are mounted in it";
	else if (!attributes_of(is->options, &ret->entry->attributes))
		ret->why = "with options that are not supported (idmapped?)";
	else
		own = is_own_fs(dump, is);
	if (ret->why || own < 0)
		return ret->why ? 0 : own;
	return own ? save_fs(dump, s, copy, is, ret) : save_source(dump, s, is, ret);
}

int detached_save(struct dump *dump, const struct subject *s, DetachedMountEntry **ret)
{
	struct saved_mount saved = { .entry = dump_alloc(dump, sizeof(*saved.entry)) };
	struct copy copy = NO_COPY(s->local);
	int err;

	if (!saved.entry)
		return fail(-ENOMEM, "mounts");
	detached_mount_entry__init(saved.entry);
	copy.read = true;
	err = copy_of(s->task, &copy);
	if (s->task->ns[NS_MNT] != dump_task_of(dump->tree.root)->ns[NS_MNT])
		saved.why = "in another mount namespace than that of the first process";
	else if (nests_pid_namespaces(dump))
		saved.why = "in a tree with nested pid namespaces";
	else if (err)
		saved.why = "and cannot be copied";
	else
		err = save_mount(dump, s, &copy, &saved);
	copy_free(&copy);
	*ret = saved.entry;
	if (!saved.why)
		return err;
	dump_blocker(dump, s->task, s->fd,
		     "%s " ROOT_ATTACHED_NOWHERE ", %s: that is not supported; attach it, or close it%s", s->link,
		     saved.why, regular_external_hint(dump, s));
	return 0;
}
