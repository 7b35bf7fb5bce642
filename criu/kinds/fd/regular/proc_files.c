// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in /proc that belong to a process. Those of processes in the tree are restored by the same path; those of pid 1
 * exist wherever there is a /proc. Other pids may belong to another process by then. Files of a task that has exited
 * have no content, and neither have the ones that a restore opens (proc_gone.c), as recorded in remap-fpath.img.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define INIT_PID 1

static bool parse_number(const char **at, pid_t *ret)
{
	char *end;
	long n = isdigit((unsigned char)**at) ? strtol(*at, &end, 10) : 0;

	if (n <= 0 || n > INT_MAX || (*end && *end != '/'))
		return false;
	*at = end;
	*ret = (pid_t)n;
	return true;
}

bool proc_path_parse(const char *path, struct proc_path *ret)
{
	const char *task;

	if (!str_has_prefix(path, PROC_PATH))
		return false;
	path += strlen(PROC_PATH);
	if (!parse_number(&path, &ret->pid))
		return false;
	ret->tid = 0;
	ret->rest = path;
	if (!str_has_prefix(path, "/task/"))
		return true;
	task = path + strlen("/task/");
	if (!parse_number(&task, &ret->tid))
		return false;
	ret->rest = task;
	return true;
}

static bool is_in_proc(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

/* The nested pid namespace that it shows; NULL: it is that of the tree, or the tool's. */
static const struct ns *nested_ns_of(const struct dump *dump, const struct subject *s)
{
	const struct ns *ns = hash_get_ptr(&dump->shown_pid_ns, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)));

	return ns && ns->depth ? ns : NULL;
}

/* Not the /proc of the tool, but one of a pid namespace of the tree, with the pids that are seen there. */
static bool is_of_tree(const struct dump *dump, const struct subject *s)
{
	struct stat st;

	return nested_ns_of(dump, s) || (dump->pid_level && dump_mount_of(dump, s->mnt_id) >= 0 &&
					 !fstat(proc_root(), &st) && st.st_dev != s->st.st_dev);
}

static struct dump_task *find_task(struct dump *dump, const struct subject *s, pid_t pid)
{
	const struct ns *nested = nested_ns_of(dump, s);
	struct dump_task *task;

	if (!is_of_tree(dump, s))
		return dump_find_task(dump, pid);
	dump_for_each_task(task, dump)
		if (nested ? ns_is_within(task->t.pid_ns, nested) && task->t.inner_pid[nested->depth - 1] == pid :
			     task->t.pid == pid)
			return task;
	return NULL;
}

static bool is_thread_of(const struct dump *dump, const struct subject *s, const struct dump_task *task, pid_t tid)
{
	const struct ns *nested = nested_ns_of(dump, s);
	bool of_tree = is_of_tree(dump, s);

	for (size_t i = 1; i < task->nr_threads; i++) {
		const struct thread *id = &task->threads[i].id;

		if ((nested ? id->inner[nested->depth - 1] : of_tree ? id->tid : id->host_tid) == tid)
			return true;
	}
	return false;
}

void proc_file_check(struct dump *dump, const struct subject *s, const char *path)
{
	const struct dump_task *of;
	struct proc_path p;

	if (!proc_path_parse(path, &p) || !is_in_proc(s->local))
		return;
	of = find_task(dump, s, p.pid);
	if (!of && p.pid != INIT_PID)
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to process %d, which is outside the tree and may be another process at restore; "
			"close it, or dump a tree that contains the process",
			path, p.pid);
	else if (of && p.tid && p.tid != p.pid && is_thread_of(dump, s, of, p.tid))
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to a thread, and threads are restored after files; close it, or open it only when "
			"it is needed",
			path);
}

/* ---- files of a task that has exited ---- */

static bool lists_nothing(int dir)
{
	char entries[1024];

	return syscall(SYS_getdents64, dir, entries, sizeof(entries)) < 0;
}

/* Another process has its pid: only the file itself can show it. Queried through a description of our own. */
static bool belongs_to_gone_task(const struct subject *s)
{
	_cleanup_close_ int fd = -1;
	char target[PATH_MAX];

	if (S_ISLNK(s->st.st_mode))
		return read_link(s->local, "", target, sizeof(target)) < 0;
	fd = reopen_fd(s->local, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd == -ESRCH || fd == -EINVAL;
	return S_ISDIR(s->st.st_mode) ? lists_nothing(fd) : read(fd, target, 1) < 0 && errno == ESRCH;
}

bool proc_file_is_gone(const struct dump *dump, const struct subject *s, const char *path, struct proc_path *ret)
{
	char of[64];
	struct stat st;
	int err;

	if (!proc_path_parse(path, ret) || !is_in_proc(s->local))
		return false;
	snprintf(of, sizeof(of), PROC_PATH "%d/task/%d", ret->pid, ret->tid ? ret->tid : ret->pid);
	if (is_of_tree(dump, s))
		err = path_stat(&dump->roots, s->mnt_id, of, false, &st);
	else
		err = fstatat(proc_root(), of + strlen(PROC_PATH), &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	return err ? err == -ENOENT : belongs_to_gone_task(s);
}

bool proc_file_shows_namespace(const char *rest)
{
	static const char *const namespace_files[] = { "/mounts",  "/mountinfo",  "/mountstats", "/uid_map",
						       "/gid_map", "/projid_map", "/setgroups" };

	for (size_t i = 0; i < ARRAY_SIZE(namespace_files); i++)
		if (!strcmp(rest, namespace_files[i]))
			return true;
	return str_has_prefix(rest, "/net/");
}

/* Whether the file shows a namespace that @s->task is in: then any process there shows the same. */
static bool shows_same_namespace(const struct subject *s, const char *rest)
{
	_cleanup_buf_ struct buf own = { 0 }, its = { 0 };
	const int dir = s->task->proc.dir;
	struct stat st;

	rest++; /* skip the '/' after the directory of a process */
	if (str_has_prefix(rest, "net/"))
		return !fstatat(dir, rest, &st, 0) && st.st_ino == s->st.st_ino;
	if (s->flags & (O_PATH | O_WRONLY))
		return true;
	if (read_file(dir, rest, &own) < 0 || buf_reserve(&its, own.len + 1) < 0)
		return false;
	ssize_t len = pread_full(s->local, its.data, own.len + 1, 0);
	return len >= 0 && (size_t)len == own.len && !memcmp(its.data, own.data, own.len);
}

/*
 * Data that was generated while the task lived and has not been read yet is buffered in the description. Reading it to
 * where nothing can be written does not consume any of it.
 */
int proc_file_has_unread(int fd, uint64_t pos, bool *ret)
{
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (nowhere == MAP_FAILED)
		return -ENOMEM;
	*ret = pread(fd, nowhere, 4096, (off_t)pos) < 0 && errno == EFAULT;
	munmap(nowhere, 4096);
	return 0;
}

int proc_file_check_gone(struct dump *dump, const struct subject *s, const struct proc_path *p, const char *path)
{
	bool has_unread = false;
	int err;

	/* A restore opens such files before the first process of the pid namespace exists. */
	if (is_of_tree(dump, s)) {
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to process %d, which has exited: that is not implemented in the /proc of a pid namespace; close it first",
			path, p->pid);
		return 0;
	}
	if (str_has_prefix(p->rest, "/fd/") || str_has_prefix(p->rest, "/fdinfo/") ||
	    str_has_prefix(p->rest, "/map_files/")) {
		dump_blocker(dump, s->task, s->fd,
			     "%s is a descriptor or mapping of process %d, which has exited; close it first", path,
			     p->pid);
		return 0;
	}
	if (!strcmp(p->rest, "/auxv") && !(s->flags & O_PATH)) {
		dump_blocker(dump, s->task, s->fd,
			     "%s still shows the auxiliary vector of process %d, which has exited; close it first",
			     path, p->pid);
		return 0;
	}
	if (proc_file_shows_namespace(p->rest)) {
		if (!shows_same_namespace(s, p->rest))
			dump_blocker(
				dump, s->task, s->fd,
				"%s shows a namespace of process %d, which has exited, and that namespace may not be in "
				"the tree; close it first",
				path, p->pid);
		return 0;
	}
	if (!S_ISREG(s->st.st_mode) || s->flags & (O_PATH | O_WRONLY))
		return 0;
	err = proc_file_has_unread(s->local, s->pos, &has_unread);
	if (err)
		return fail(err, "%s", path);
	if (has_unread)
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to process %d, which has exited, and has been read in part; read it to its end, "
			"or close it",
			path, p->pid);
	return 0;
}
