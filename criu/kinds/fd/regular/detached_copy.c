// SPDX-License-Identifier: GPL-2.0-only
/* What a mount that is attached nowhere is can only be seen by a copy that is attached, in a mount namespace of a process of ours. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "kernel/statmount.h"
#include "kinds/fd/regular/detached_internal.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/fds.h"

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
	root = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY); /* of this process */
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

static void read_id_maps(struct detached_copy *copy)
{
	const struct mount_info *is = mountinfo_find(&copy->mounts, copy->mnt_id);

	copy->idmapped = is && detached_is_idmapped(is);
	if (copy->idmapped)
		copy->maps_err = statmount_id_maps(copy->mnt_id, &copy->uids, &copy->gids);
}

/* In a process of its own, in the mount namespace of the task. */
static int make_copy(void *arg)
{
	struct detached_copy *copy = arg;
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
	if (!err)
		err = mountinfo_read(&self, &copy->mounts);
	if (!err)
		read_id_maps(copy);
	return err;
}

int detached_copy_make(const struct dump_task *task, struct detached_copy *copy)
{
	_cleanup_close_ int ns = open_fmt(task->proc.dir, O_RDONLY | O_CLOEXEC, "ns/mnt");
	int result = 0, err = ns < 0 ? ns : ns_run_in(&ns, 1, make_copy, copy, &result);

	return err ? err : result;
}

bool detached_is_alive(const struct subject *s)
{
	struct detached_copy copy = DETACHED_COPY(s->local);

	return !detached_copy_make(s->task, &copy);
}

void detached_copy_free(struct detached_copy *copy)
{
	mountinfo_free(&copy->mounts);
	id_map_free(&copy->uids);
	id_map_free(&copy->gids);
	cleanup_close(&copy->root);
}

int detached_copy_parts(const struct detached_copy *copy, struct detached_parts *ret)
{
	const struct mount_info *is = mountinfo_find(&copy->mounts, copy->mnt_id), *m;
	int err = is ? array_add(ret, is) : 0;

	for (size_t i = 0; !err && i < ret->n; i++)
		array_for_each(m, &copy->mounts)
			if (!err && m->parent_id == ret->v[i]->mnt_id && m != ret->v[i])
				err = array_add(ret, m);
	return err ? -ENOMEM : 0;
}
