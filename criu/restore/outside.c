/* SPDX-License-Identifier: GPL-2.0-only */
/* What is opened for tasks in a user namespace of their own, with the rights of the tool: run/outside.h */
#include "run/outside.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "restore/restore.h"
#include "run/names.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static int open_image(struct restore *r, const struct outside_request *request)
{
	if (!image_dir_has_fd(r->dir, request->dir) || strchr(request->name, '/') || request->name[0] == '.')
		return -EACCES;
	return open_at(request->dir, request->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

/* No more access than the tree had through this file. */
static bool allows(const RegFileEntry *reg, unsigned flags)
{
	unsigned had = reg->flags & O_ACCMODE;

	return flags & O_PATH || had == O_RDWR || had == (flags & O_ACCMODE);
}

/* Only if it is certainly the file of the dump: nobody can have put another one in its place. */
static int open_file(struct restore *r, const struct outside_request *request)
{
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		const RegFileEntry *reg = r->plan.files[i].entry->reg;
		int fd;

		if (!reg || strcmp(reg->name, request->name) || !allows(reg, request->flags))
			continue;
		fd = names_open_same(r, request->name, request->flags, reg);
		if (fd != -EACCES)
			return fd;
	}
	return -EACCES;
}

/* What the tool shares with all tasks (run/shared.h) is not memory of the tree. */
static bool is_shared_state(const struct restore *r, uint64_t start)
{
	return start == (uintptr_t)r->shared->birth || start == (uintptr_t)r->shared->state;
}

/* Of the tool, our parent: memory without a name, and no file that it has mapped. */
static int open_mapping(const struct restore *r, const struct outside_request *request)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (is_shared_state(r, request->start))
		return -EACCES;
	fd = open_fmt(proc_root(), O_RDWR | O_CLOEXEC, "%d/map_files/%lx-%lx", getppid(), request->start, request->end);
	if (fd < 0)
		return fd;
	return !fstat(fd, &st) && S_ISREG(st.st_mode) && !st.st_nlink ? steal_fd(&fd) : -EACCES;
}

static int new_tmpfs(void)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "1777", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

/* In its own copy of the memory it does not know the tree's pid namespace yet, which exists when a task asks. */
static pid_t find_process(struct restore *r, const struct outside_request *request)
{
	int err = 0;

	if (!restore_find_task(r, request->pid) && !restore_find_thread(r, request->pid))
		return -EACCES;
	r->tool.root_pid = atomic_load(&r->shared->birth->root_pid);
	if (r->tool.pid_ns < 0)
		err = restore_find_pid_ns(r);
	return err ? err : restore_number_here(r, request->pid);
}

static int open_process(struct restore *r, const struct outside_request *request)
{
	const pid_t here = find_process(r, request);

	return here < 0 ? here : sys_pidfd_open(here, request->flags);
}

static int open_pid_ns(struct restore *r, const struct outside_request *request)
{
	const pid_t here = find_process(r, request);

	return here < 0 ? here : open_fmt(proc_root(), (int)request->flags | O_CLOEXEC, "%d/ns/pid", here);
}

/* Those that kinds write to. */
static int open_proc(const struct outside_asked *asked)
{
	static const char *const names[] = { "oom_score_adj", "coredump_filter", "loginuid", "timens_offsets" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (asked->pid > 0 && !strcmp(names[i], asked->request->name))
			return open_fmt(proc_root(), O_WRONLY | O_CLOEXEC, "%d/%s", asked->pid, names[i]);
	return -EACCES;
}

static int answer(struct restore *r, const struct outside_asked *asked)
{
	const struct outside_request *request = asked->request;

	switch (request->what) {
	case OUTSIDE_IMAGE:
		return open_image(r, request);
	case OUTSIDE_FILE:
		return open_file(r, request);
	case OUTSIDE_MAPPING:
		return open_mapping(r, request);
	case OUTSIDE_TMPFS:
		return new_tmpfs();
	case OUTSIDE_DESCRIPTOR:
		return sys_pidfd_getfd(asked->pidfd, request->number);
	case OUTSIDE_PROC:
		return open_proc(asked);
	case OUTSIDE_PROCESS:
		return open_process(r, request);
	case OUTSIDE_PID_NS:
		return open_pid_ns(r, request);
	}
	return -EINVAL;
}

static int open_image_elsewhere(void *arg, int dir, const char *name)
{
	return outside_open_image(arg, dir, name);
}

static bool has_nested(const struct restore *r)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_PID)
		if (ns->depth)
			return true;
	return false;
}

static bool has_user_ns(const struct restore *r)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_USER)
		if (!ns->own)
			return true;
	return false;
}

int restore_begin_outside(struct restore *r)
{
	int err;

	if (!has_user_ns(r))
		return has_nested(r) ? outside_begin(r, answer) : 0;
	err = image_dir_open_elsewhere(r->dir, open_image_elsewhere, r);
	if (!err)
		err = image_store_move_fds(r->dir, r->service_base);
	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	return outside_begin(r, answer);
}
