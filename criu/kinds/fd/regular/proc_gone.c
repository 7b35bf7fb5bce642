// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in /proc of a task that had exited before the dump. Before the tool forks the tree, a temporary process gets
 * the task's pid, the files are opened and positioned, and the process is killed: they now belong to a task that has
 * exited. A directory of an exited task cannot be entered: if it is a task's working directory or root, the process
 * lives until every task has been set up.
 */
#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kinds/fd/regular/internal.h"
#include "kinds/kinds.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/str.h"

#define STAND_IN_TRIES 100

ARRAY_OF(tid_array, pid_t);

/* A working directory or root: an entry that no task has a descriptor of. */
static bool is_cwd_or_root(const struct remap *remap)
{
	return !remap->file->nr_users && !remap->file->in_flight;
}

/* A thread shares the stack of its creator, which is suspended for good: CLONE_VFORK. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_VFORK)

/* @pid 0: any. */
static pid_t clone_as(pid_t pid, uint64_t flags)
{
	struct clone_args args = { .flags = flags };
	long got;

	if (pid) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	got = syscall(SYS_clone3, &args, sizeof(args));
	return got < 0 ? -errno : (pid_t)got;
}

/* It gets its own memory, although it needs none: processes that have its "mem" open must not have ours. */
static _Noreturn void stand_in(const struct tid_array *tids, int ready, pid_t parent)
{
	/* Make the content of its files short, so that the saved positions are at their end. */
	prctl(PR_SET_NAME, "");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < tids->n; i++)
		if (clone_as(tids->v[i], THREAD_FLAGS))
			_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	while (1)
		pause();
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Whether the tree needs this pid. */
static bool is_pid_needed(struct restore *r, pid_t pid)
{
	struct task *t;

	if (restore_find_task(r, pid) || restore_find_thread(r, pid))
		return true;
	list_for_each(t, &r->plan.helpers, in_tree) {
		if (t->pid == pid)
			return true;
	}
	return false;
}

/*
 * The files are opened in the namespaces of the tree, possibly in a process that ends after that: a stand-in that is to
 * outlive it is a child of the tool.
 */
static pid_t start(struct restore *r, pid_t pid, const struct tid_array *tids, bool lasting)
{
	pid_t self = getpid(), parent = lasting ? r->shared->tool_pid : self, got;
	int ready[2];
	char one;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	_cleanup_close_ int from = ready[0], to = ready[1];
	got = clone_as(pid, parent != self ? CLONE_PARENT : 0);
	if (!got)
		stand_in(tids, to, parent);
	if (got < 0)
		return got;
	close(steal_fd(&to));
	ssize_t len = read(from, &one, 1);
	if (len == 1)
		return got;
	end(got);
	return -EEXIST;
}

/* A pid that is free, and not needed by the tree: the processes that find it are children of this one, and waited for. */
static pid_t find_free_pid(struct restore *r, const struct tid_array *tids)
{
	pid_t tried[STAND_IN_TRIES], got;
	size_t n = 0;

	do
		got = start(r, 0, tids, false);
	while (got > 0 && (tried[n++] = got) && is_pid_needed(r, got) && n < STAND_IN_TRIES);
	while (n)
		end(tried[--n]);
	return got > 0 && is_pid_needed(r, got) ? -EEXIST : got;
}

static pid_t start_lasting(struct restore *r, const struct tid_array *tids)
{
	pid_t pid = find_free_pid(r, tids);

	return pid > 0 ? start(r, pid, tids, true) : pid;
}

/* With its original pid, if that is available; else with any free one. */
static pid_t start_stand_in(struct restore *r, pid_t pid, const struct tid_array *tids, bool lasting)
{
	pid_t got = lasting && is_pid_needed(r, pid) ? -EEXIST : start(r, pid, tids, lasting);

	if (got > 0)
		return got;
	if (tids->n || (got != -EEXIST && got != -EPERM && got != -EINVAL))
		return fail(got, "create a temporary process with pid %d%s", pid,
			    got == -EEXIST ?
				    ": it is in use, as a process or a thread; restore in a new pid namespace" :
				    "");
	got = lasting ? start_lasting(r, tids) : start(r, 0, tids, false);
	if (got <= 0)
		return fail(got, "create a temporary process");
	log_warn(
		"files of process %d, which has exited: its pid is not available, so they now belong to process %d, also "
		"gone",
		pid, got);
	return got;
}

static int path_of(const struct remap *remap, pid_t pid, char *path, size_t size)
{
	struct proc_path p;

	if (!proc_path_parse(remap->reg->name, &p))
		return -EBADMSG;
	if (!p.tid)
		return str_format(path, size, PROC_PATH "%d%s", pid, p.rest);
	return str_format(path, size, PROC_PATH "%d/task/%d%s", pid, p.tid == p.pid ? pid : p.tid, p.rest);
}

static int open_one(struct restore *r, struct remap *remap, pid_t pid)
{
	const RegFileEntry *reg = remap->reg;
	unsigned flags = reg->flags;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = path_of(remap, pid, path, sizeof(path));

	if (err)
		return fail(err, "%s", reg->name);
	if (reg->has_mode && S_ISLNK(reg->mode))
		flags |= O_NOFOLLOW;
	fd = names_open(r, audience_of_file(r, remap->file), &(struct name_wanted){ path, flags, NULL, reg->mnt_id },
			0);
	opener_leave(r);
	if (fd < 0)
		return fd;
	if (!(flags & O_PATH) && reg->pos && lseek(fd, (off_t)reg->pos, SEEK_SET) < 0)
		return fail(-errno, "%s: seek to %llu", reg->name, (unsigned long long)reg->pos);
	remap->fd = move_fd_above(fd, r->service_base);
	if (remap->fd < 0)
		return fail(remap->fd, "keep %s open", reg->name);
	fd = -1;
	remap->proven = remap->is_description = true;
	return 0;
}

/* The stand-in's file is longer than the position: the rest must not be read. */
static int drop_rest(const struct remap *remap)
{
	const RegFileEntry *reg = remap->reg;
	uint64_t pos = reg->pos;
	struct proc_path p;
	char rest[4096];
	bool has_unread = true;
	ssize_t len = 1;
	int err = 0;

	if (!pos || reg->flags & (O_PATH | O_WRONLY) || (reg->has_mode && !S_ISREG(reg->mode)) ||
	    !proc_path_parse(reg->name, &p) || proc_file_shows_namespace(p.rest))
		return 0;
	while (!err && len > 0) {
		err = proc_file_has_unread(remap->fd, pos, &has_unread);
		len = err || !has_unread ? 0 : pread(remap->fd, rest, sizeof(rest), (off_t)pos);
		pos += len > 0 ? (uint64_t)len : 0;
	}
	if (err || len < 0 || pos == reg->pos)
		return err;
	if (lseek(remap->fd, (off_t)pos, SEEK_SET) < 0)
		return fail(-errno, "%s: seek to %llu", reg->name, (unsigned long long)pos);
	log_warn("%s, of a task that has exited: its position was %llu, is %llu", reg->name,
		 (unsigned long long)reg->pos, (unsigned long long)pos);
	return 0;
}

static int note_tid(struct tid_array *tids, const struct remap *remap)
{
	struct proc_path p;
	pid_t *tid;

	if (!proc_path_parse(remap->reg->name, &p))
		return -EBADMSG;
	if (!p.tid || p.tid == p.pid)
		return 0;
	for (size_t i = 0; i < tids->n; i++)
		if (tids->v[i] == p.tid)
			return 0;
	tid = array_push(tids);
	if (!tid)
		return -ENOMEM;
	*tid = p.tid;
	return 0;
}

/* All files of one process, either all temporary or all lasting. */
static int make_group(struct restore *r, struct regular_restore *data, struct remap *const *remaps, size_t n)
{
	struct tid_array tids = { 0 };
	struct stand_in *lasting = is_cwd_or_root(remaps[0]) ? restore_alloc(r, sizeof(*lasting)) : NULL;
	int err = is_cwd_or_root(remaps[0]) && !lasting ? -ENOMEM : 0;
	pid_t pid = -1;

	for (size_t i = 0; !err && i < n; i++)
		err = note_tid(&tids, remaps[i]);
	if (err)
		err = fail(err, "files of process %u", remaps[0]->entry->remap_id);
	else
		pid = start_stand_in(r, (pid_t)remaps[0]->entry->remap_id, &tids, lasting);
	array_free(&tids);
	if (err || pid < 0)
		return err ? err : pid;
	if (lasting) {
		*lasting = (struct stand_in){ .pid = pid, .next = data->stand_ins };
		data->stand_ins = lasting;
	}
	for (size_t i = 0; !err && i < n; i++)
		err = open_one(r, remaps[i], pid);
	if (!lasting)
		end(pid);
	for (size_t i = 0; !err && !lasting && i < n; i++)
		err = drop_rest(remaps[i]);
	return err;
}

static bool same_group(const struct remap *a, const struct remap *b)
{
	return a->entry->remap_id == b->entry->remap_id && is_cwd_or_root(a) == is_cwd_or_root(b);
}

static int by_group(const void *a, const void *b)
{
	const struct remap *x = *(const struct remap *const *)a, *y = *(const struct remap *const *)b;
	uint32_t i = x->entry->remap_id, j = y->entry->remap_id;

	/* Processes that remain are created last: they must not take pids that others need for a moment. */
	if (is_cwd_or_root(x) != is_cwd_or_root(y))
		return is_cwd_or_root(x) - is_cwd_or_root(y);
	return i < j ? -1 : i > j;
}

int proc_gone_link(const struct remap *remap)
{
	struct proc_path p;

	if (proc_path_parse(remap->reg->name, &p) && (uint32_t)p.pid == remap->entry->remap_id)
		return 0;
	return fail(-EBADMSG, "remap-fpath.img: %s is not a file of process %u", remap->reg->name,
		    remap->entry->remap_id);
}

int proc_gone_make(struct restore *r, struct regular_restore *data)
{
	_cleanup_free_ struct remap **order = calloc(data->remaps.n + 1, sizeof(*order));
	size_t n = 0, to;
	int err = 0;

	if (!order)
		return fail(-ENOMEM, "files of tasks that have exited");
	for (struct record *rec = data->remaps.first; rec; rec = rec->next) {
		struct remap *remap = (struct remap *)rec;

		if (remap->of_gone_task && remap->reg)
			order[n++] = remap;
	}
	qsort(order, n, sizeof(*order), by_group);
	for (size_t from = 0; !err && from < n; from = to) {
		for (to = from + 1; to < n && same_group(order[from], order[to]);)
			to++;
		err = make_group(r, data, order + from, to - from);
	}
	return err;
}

static void end_stand_ins(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	for (; data && data->stand_ins; data->stand_ins = data->stand_ins->next)
		end(data->stand_ins->pid);
}

int proc_gone_ready(struct restore *r)
{
	end_stand_ins(r);
	return 0;
}

void proc_gone_failed(struct restore *r)
{
	end_stand_ins(r);
}
