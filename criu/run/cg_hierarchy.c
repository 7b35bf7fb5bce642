// SPDX-License-Identifier: GPL-2.0-only
#include "run/cg_hierarchy.h"
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "run/options.h"
#include "run/path.h"
#include "util/arena.h"
#include "util/fds.h"
#include "util/log.h"

#define NAMED "name="

int cg_hierarchies_parse(const char *text, size_t len, struct arena *arena, struct cg_hierarchies *ret)
{
	struct proc_cgroups groups = { 0 };
	struct cg_hierarchies all = { 0 };
	int err = proc_cgroups_parse(text, len, &groups);

	if (!err) {
		all.v = arena_alloc(arena, (groups.n + 1) * sizeof(*all.v));
		err = all.v ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !err && i < groups.n; i++) {
		struct cg_hierarchy h = { arena_strdup(arena, groups.v[i].controllers),
					  arena_strdup(arena, groups.v[i].path), -1 };

		if (!h.name || !h.path)
			err = -ENOMEM;
		else if (h.path[0] != '/')
			err = -EBADMSG;
		else
			all.v[all.n++] = h;
	}
	proc_cgroups_free(&groups);
	if (!err)
		*ret = all;
	return err;
}

/* Does the list @names, separated by commas, contain the first of those in @name? */
static bool has_first(const char *names, const char *name)
{
	size_t len = strcspn(name, ",");

	while (1) {
		size_t here = strcspn(names, ",");

		if (here == len && !memcmp(names, name, len))
			return true;
		if (!names[here])
			return false;
		names += here + 1;
	}
}

struct cg_hierarchy *cg_hierarchy_find(const struct cg_hierarchies *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (has_first(all->v[i].name, name))
			return &all->v[i];
	return NULL;
}

struct cg_hierarchy *cg_hierarchy_of_memory(const struct cg_hierarchies *all)
{
	return cg_hierarchy_find(all, "memory") ?: cg_hierarchy_find(all, "");
}

const char *cg_hierarchy_title(const struct cg_hierarchy *h)
{
	return cg_is_v2(h) ? "cgroup 2" : h->name;
}

/* ---- directories ---- */

/* Each controller is an option; a hierarchy without one has to say so. */
static int set_controllers(int fs, const char *name)
{
	bool named_only = true;
	char one[128];
	int err = 0;

	while (!err && *name) {
		size_t len = strcspn(name, ",");

		if (len >= sizeof(one))
			return -ENAMETOOLONG;
		memcpy(one, name, len);
		one[len] = 0;
		if (str_has_prefix(one, NAMED))
			err = fsconfig(fs, FSCONFIG_SET_STRING, "name", one + strlen(NAMED), 0);
		else
			err = fsconfig(fs, FSCONFIG_SET_FLAG, one, NULL, 0);
		named_only &= str_has_prefix(one, NAMED);
		name += len + (name[len] == ',');
	}
	return err || !named_only ? err : fsconfig(fs, FSCONFIG_SET_FLAG, "none", NULL, 0);
}

static int mount_detached(const struct cg_hierarchy *h)
{
	_cleanup_close_ int fs = fsopen(cg_is_v2(h) ? "cgroup2" : "cgroup", FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs < 0)
		return -errno;
	if ((cg_is_v2(h) || !set_controllers(fs, h->name)) && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static bool is_mount_of(const struct cg_hierarchy *h, const struct mount_info *m)
{
	if (strcmp(m->root, "/") || strcmp(m->fstype, cg_is_v2(h) ? "cgroup2" : "cgroup"))
		return false;
	return cg_is_v2(h) || has_first(m->sb_options, h->name);
}

/* Another mount may cover it. */
static int open_mount(const struct mount_info *m)
{
	int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, m->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return fd;
	if (!fstat(fd, &st) && major(st.st_dev) == m->dev_major && minor(st.st_dev) == m->dev_minor)
		return fd;
	close(fd);
	return -ENOENT;
}

static int open_all_mounted(struct cg_hierarchies *all)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_mountinfo_ struct mountinfo mounts = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = mountinfo_read(&self, &mounts);
	for (size_t i = 0; !err && i < all->n; i++)
		for (size_t j = 0; all->v[i].root < 0 && j < mounts.n; j++)
			if (is_mount_of(&all->v[i], &mounts.v[j])) {
				int fd = open_mount(&mounts.v[j]);

				all->v[i].root = fd < 0 ? -1 : fd;
			}
	all->mounted_opened = true;
	return err;
}

/*
 * DIR/cpu,cpuacct, DIR/systemd or DIR/name=systemd; version 2: DIR/unified, or DIR itself.
 */
static int open_in_yard(const struct cg_hierarchy *h, const char *yard)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	_cleanup_close_ int dir = path_open(&PATH_OWN, PATH_ROOT_MOUNT, yard, flags);
	struct statfs fs;
	int fd;

	if (dir < 0)
		return dir;
	if (!cg_is_v2(h)) {
		fd = open_at(dir, h->name, flags, 0);
		if (fd == -ENOENT && str_has_prefix(h->name, NAMED))
			fd = open_at(dir, h->name + strlen(NAMED), flags, 0);
	} else if (!fstatfs(dir, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC) {
		fd = steal_fd(&dir);
	} else {
		fd = open_at(dir, "unified", flags, 0);
	}
	if (fd >= 0 &&
	    (fstatfs(fd, &fs) < 0 || fs.f_type != (cg_is_v2(h) ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))) {
		close(fd);
		return -ENOTDIR;
	}
	return fd;
}

int cg_hierarchy_find_mounted(struct cg_hierarchies *all, struct cg_hierarchy *h)
{
	int err = all->mounted_opened ? 0 : open_all_mounted(all);

	return err ? err : h->root < 0 ? -ENOENT : 0;
}

int cg_hierarchy_find_open(struct cg_hierarchies *all, struct cg_hierarchy *h, const struct options *opts)
{
	int fd, err = 0;

	if (!opts->cgroup_yard && !all->mounted_opened)
		err = open_all_mounted(all);
	if (err || h->root >= 0)
		return err;
	if (opts->cgroup_yard)
		fd = open_in_yard(h, opts->cgroup_yard);
	else
		fd = opts->cgroup_mode == CGROUP_MODE_IGNORE ? -ENOENT : mount_detached(h);
	if (fd < 0)
		return fd;
	h->root = fd;
	return 0;
}

int cg_hierarchy_open(struct cg_hierarchies *all, struct cg_hierarchy *h, const struct options *opts, int min_fd)
{
	int err = cg_hierarchy_find_open(all, h, opts), high;

	if (err && opts->cgroup_yard)
		return fail(err, "find the cgroup hierarchy %s in %s (--cgroup-yard)", cg_hierarchy_title(h),
			    opts->cgroup_yard);
	if (err)
		return fail(err, "mount the cgroup hierarchy %s (--cgroup-yard: use one that is mounted)",
			    cg_hierarchy_title(h));
	high = move_fd_above(h->root, min_fd);
	if (high < 0)
		return fail(high, "descriptor of the cgroup hierarchy %s", cg_hierarchy_title(h));
	h->root = high;
	return 0;
}

void cg_hierarchies_close(struct cg_hierarchies *all)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].root >= 0)
			close(all->v[i].root);
		all->v[i].root = -1;
	}
}

/* ---- paths ---- */

bool cg_is_below(const char *path, const char *above)
{
	size_t len = above[1] ? strlen(above) : 0;

	return !strncmp(path, above, len) && (!path[len] || path[len] == '/');
}

size_t cg_common_length(const char *a, const char *b)
{
	size_t i = 0, common = 0;

	while (1) {
		bool ends_a = !a[i] || a[i] == '/', ends_b = !b[i] || b[i] == '/';

		if (i && ends_a && ends_b)
			common = i;
		if (!a[i] || a[i] != b[i])
			break;
		i++;
	}
	return common == 1 && a[0] == '/' && !a[1] ? 0 : common;
}
