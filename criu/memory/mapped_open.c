// SPDX-License-Identifier: GPL-2.0-only
#include "memory/mapped_open.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/locks.h"
#include "kernel/maps.h"
#include "memory/dump_memory.h"
#include "run/dump.h"
#include "run/fs_answers.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* A mapped file that is looked for. */
struct wanted {
	struct dump *dump;
	struct dump_task *dt;
	const struct kernel_vma *v;
	char link[PATH_MAX + 16]; /* as the kernel shows it for a descriptor */
};

/* On these fstat(2) reports another device than mappings of the file. */
static bool has_other_device(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

/*
 * A file that is opened would break a write lease on it, and signal its holder. An overlay's inode has not always the number
 * that it shows, so any lease counts.
 */
static bool may_break_lease(struct memory_dump *memory)
{
	struct file_locks locks = { 0 };
	const struct file_lock *lock;
	int err;

	if (memory->leases != LEASES_UNKNOWN)
		return memory->leases == WRITE_LEASES;
	memory->leases = NO_WRITE_LEASE;
	/* A kernel without locks has no such file. */
	err = locks_read(&locks);
	if (err && err != -ENOENT)
		memory->leases = WRITE_LEASES;
	array_for_each(lock, &locks)
		if (lock->kind == LOCK_KIND_LEASE && (lock->breaking || lock->type == LOCK_TYPE_WRITE))
			memory->leases = WRITE_LEASES;
	array_free(&locks);
	return memory->leases == WRITE_LEASES;
}

/* As the kernel shows a mapping of the file: only where nothing else tells. */
static bool is_mapped_as(const struct kernel_vma *v, int fd)
{
	_cleanup_close_ int readable = proc_fd_open(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_maps_ struct maps maps = {};
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct kernel_vma *mine;
	bool same = false;
	void *p;

	if (readable < 0 || proc_open_self(&self))
		return false;
	p = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, readable, 0);
	if (p == MAP_FAILED)
		return false;
	if (!maps_read(&self, &maps) && (mine = maps_find(&maps, (uintptr_t)p)))
		same = mine->ino == v->ino && mine->dev_major == v->dev_major && mine->dev_minor == v->dev_minor;
	munmap(p, 1);
	return same;
}

/* fstat(2) may ask the server of a file system: see run/fs_answers.h. */
static bool is_wanted(const struct wanted *w, int fd)
{
	struct stat st;

	if (!dump_path_answers(w->dump, w->dt, fd, w->link) || fstat(fd, &st) < 0)
		return false;
	if (st.st_ino == w->v->ino && dev_to_kdev(st.st_dev) == kdev_make(w->v->dev_major, w->v->dev_minor))
		return true;
	return S_ISREG(st.st_mode) && has_other_device(fd) && !may_break_lease(w->dump->memory) &&
	       is_mapped_as(w->v, fd);
}

/* The lookup of a name may ask the server, too; that of the root of its mount does not. */
static bool mount_answers(const struct wanted *w, const struct path_roots *roots)
{
	const struct ns *ns = w->dt->ns[NS_MNT];
	const uint32_t kdev = kdev_make(w->v->dev_major, w->v->dev_minor);
	const struct mount_info *mount;

	array_for_each(mount, &w->dump->mounts) {
		if ((ns && mount->ns != ns->id) || kdev_make(mount->dev_major, mount->dev_minor) != kdev)
			continue;

		_cleanup_close_ int fd = path_open(roots, PATH_ROOT_MOUNT, mount->mountpoint, O_PATH);

		return fd < 0 || dump_path_answers(w->dump, w->dt, fd, w->link);
	}
	return true;
}

static int open_by_name(const struct wanted *w)
{
	const struct ns *ns = w->dt->ns[NS_MNT];
	const int root = ns && !ns->own && ns->root >= 0 ? ns->root : AT_FDCWD;
	const struct path_roots roots = { root, NULL, AT_FDCWD, w->dump->roots.may_wait,
					  ns ? ns->id : w->dump->roots.ns };

	if (w->v->deleted || w->v->name[0] != '/')
		return -ENOENT;
	return mount_answers(w, &roots) ? path_open(&roots, PATH_ROOT_MOUNT, w->v->name, O_PATH | O_NOFOLLOW) : -EIO;
}

static int open_if_linked(const struct wanted *w, const struct dump_task *dt, const char *name)
{
	char link[sizeof(w->link)];
	ssize_t len = read_link(dt->proc.dir, name, link, sizeof(link));

	return len < 0 || strcmp(link, w->link) ? -ENOENT : open_at(dt->proc.dir, name, O_PATH, 0);
}

/* A descriptor of @dt, or its executable. */
static int open_of_task(const struct wanted *w, const struct dump_task *dt)
{
	_cleanup_close_ int exe = open_if_linked(w, dt, "exe");
	struct int_array numbers = { 0 };
	char name[32];
	int ret = -ENOENT;

	if (exe >= 0 && is_wanted(w, exe))
		return steal_fd(&exe);
	proc_fds(&dt->proc, &numbers); /* what cannot be listed is not found */
	for (size_t i = 0; ret < 0 && i < numbers.n; i++) {
		snprintf(name, sizeof(name), "fd/%d", numbers.v[i]);

		_cleanup_close_ int fd = open_if_linked(w, dt, name);

		if (fd >= 0 && is_wanted(w, fd))
			ret = steal_fd(&fd);
	}
	array_free(&numbers);
	return ret;
}

static int open_elsewhere(const struct wanted *w)
{
	_cleanup_close_ int named = open_by_name(w);
	struct dump_task *dt;
	int fd;

	if (named >= 0 && is_wanted(w, named))
		return steal_fd(&named);
	fd = open_of_task(w, w->dt);
	dump_for_each_task(dt, w->dump)
		if (fd < 0 && dt != w->dt)
			fd = open_of_task(w, dt);
	return fd;
}

int memory_open_mapped(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v)
{
	struct wanted w = { .dump = dump, .dt = dt, .v = v };
	char name[MAP_FILES_NAME];
	size_t blockers = dump->blockers.nr;
	const char *why;
	int fd;

	map_files_name(v, name);
	if (rights_may(&dump->rights, RIGHT_MAP_FILES)) {
		fd = open_fmt(dt->proc.dir, O_PATH, "map_files/%s", name);
		return fd < 0 ? fail(fd, "open what is mapped at %lx (%s)", v->start, v->name) : fd;
	}
	snprintf(w.link, sizeof(w.link), "%s%s", v->name, v->deleted ? " (deleted)" : "");
	fd = open_elsewhere(&w);
	if (fd >= 0)
		return fd;
	if (dump->blockers.nr > blockers)
		return -EIO;
	why = dump->memory->leases == WRITE_LEASES ?
		      "whether it is the file that has this name now can only be found out by opening it, which would break a "
		      "lease if there is one (F_SETLEASE; /proc/locks lists some)" :
	      v->deleted ? "the file has no name, no process of the tree has it open" :
			   "another file has its name here, or none, no process of the tree has it open";
	dump_blocker(dump, dt, -1,
		     "mapping %s of %s: %s, and opening it through its mapping %s: "
		     "keep a descriptor of it open, or run criu as root",
		     name, w.link, why, rights_text(RIGHT_MAP_FILES));
	return -EPERM;
}
