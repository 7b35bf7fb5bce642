/* SPDX-License-Identifier: GPL-2.0-only */
/* In a task: opens or receives every descriptor. Owners open, the others receive. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "restore/restore.h"
#include "restore/vm_peers.h"
#include "run/opener.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* Installs @fd as every descriptor that the task's table has for the file. Takes ownership of @fd. */
static int place(const struct task_fd *at, int fd)
{
	struct file *file = at->file;
	bool kept = false;
	int err = 0;

	for (size_t i = at->first_user; !err && i < file->nr_users && file->users[i].task == at->task; i++) {
		const struct task_fd *user = &file->users[i];

		if (user->fd == fd) {
			kept = true;
			err = set_cloexec(fd, user->cloexec);
		} else if (dup3(fd, user->fd, user->cloexec ? O_CLOEXEC : 0) < 0) {
			err = -errno;
		}
		if (err)
			fail(err, "move file %#x to descriptor %d", file->id, user->fd);
	}
	if (!kept)
		close(fd);
	return err;
}

static int place_own(struct restore *r, struct restore_task *rt, const struct task_fd *at, int fd)
{
	int err = place(at, fd);

	if (!err)
		shared_file_set(r->shared, at->file->index, rt->t.pid, at->file->owner_fd);
	return err;
}

/* Other open descriptors are above all that tasks have: no number of the table is in use. */
static int place_provided(struct restore *r, struct restore_task *rt)
{
	int err = 0;

	for (size_t i = 0; i < r->process.provided.n; i++) {
		const struct provided *p = &r->process.provided.v[i];

		/* The owner of a file is its first user. */
		if (!err)
			err = place_own(r, rt, &p->file->users[0], p->fd);
	}
	r->process.provided.n = 0;
	return err;
}

static int open_own(struct restore *r, struct restore_task *rt, const struct task_fd *at)
{
	struct file *file = at->file;
	int fd = restore_call_open(r, file, audience_of_file(r, file));

	if (fd < 0)
		return fd;
	fd = place_own(r, rt, at, fd);
	return fd ? fd : place_provided(r, rt);
}

/*
 * A pidfd of the process that the last file came from: usually also that of the next one. Its number is not used by the
 * task.
 */
static int holder_pidfd(struct restore *r, const struct restore_task *rt, pid_t pid)
{
	struct files_holder *h = &r->process.files_holder;
	int fd;

	if (h->task == rt && h->pid == pid)
		return h->pidfd;
	/* A descriptor opened by another task that shares this memory is not in our table. */
	if (h->task == rt)
		close(h->pidfd);
	h->task = NULL;
	fd = restore_open_process(r, pid, 0);
	fd = fd < 0 ? fd : move_fd_above(fd, r->service_base);
	if (fd >= 0)
		*h = (struct files_holder){ rt, pid, fd };
	return fd;
}

static int take(struct restore *r, struct restore_task *rt, const struct task_fd *at)
{
	struct file *file = at->file;
	int pidfd, number, fd, err;
	pid_t pid;

	if (file->inherited >= 0) {
		fd = dup_fd_above(file->inherited, 0);
		return fd < 0 ? fail(fd, "copy file %#x", file->id) : place(at, fd);
	}
	err = shared_file_wait(r->shared, file->index, &pid, &number);
	if (err)
		return err;
	pidfd = holder_pidfd(r, rt, pid);
	fd = pidfd < 0 ? pidfd : restore_getfd(r, pidfd, number);
	if (fd < 0)
		return fail(fd, "take file %#x from task %d", file->id, pid);
	return place(at, fd);
}

typedef int (*file_fn)(struct restore *, struct restore_task *, const struct task_fd *);

/* Once for each file of the table, however many descriptors it has: at the first of them. */
static int for_each_file(struct restore *r, struct restore_task *rt,
			 bool (*which)(struct restore_task *, struct file *), file_fn fn)
{
	for (size_t i = 0; i < rt->nr_fds; i++) {
		const struct task_fd *at = &rt->fds[i];
		int err = 0;

		if (at->file->users[at->first_user].fd != at->fd || !which(rt, at->file))
			continue;
		{
			LOG_SCOPE("fd %d (%s)", at->fd, at->file->kind->name);
			err = fn(r, rt, at);
		}
		if (err)
			return err;
	}
	return 0;
}

static bool is_own_maker(struct restore_task *rt, struct file *file)
{
	return file->owner == rt && !file->maker;
}

static bool is_own_made(struct restore_task *rt, struct file *file)
{
	return file->owner == rt && file->maker;
}

static bool is_own(struct restore_task *rt, struct file *file)
{
	return file->owner == rt;
}

static bool is_others(struct restore_task *rt, struct file *file)
{
	return file->owner != rt;
}

static int take_made(struct restore *r, struct restore_task *rt, const struct task_fd *at)
{
	struct file *file = at->file;
	int number, err;
	pid_t pid;

	err = shared_file_wait(r->shared, file->index, &pid, &number);
	/* A file that we have opened ourselves is in place already. */
	if (err || (pid == rt->t.pid && number == file->owner_fd))
		return err;
	err = take(r, rt, at);
	if (!err)
		shared_file_set(r->shared, file->index, rt->t.pid, file->owner_fd);
	return err;
}

static int finish(struct restore *r, struct restore_task *rt, const struct task_fd *at)
{
	struct file *file = at->file;

	return restore_call_finish(r, file, file->owner_fd);
}

/*
 * The signals of O_ASYNC contain the descriptor (si_fd) by which the flag was set: that happened where the file was
 * opened, and it may have been moved to its final number since. fcntl(2), F_SETSIG
 */
static int name_in_signals(struct restore *r, struct restore_task *rt, const struct task_fd *at)
{
	int flags = fcntl(at->fd, F_GETFL);

	if (flags < 0 || !(flags & O_ASYNC))
		return 0;
	if (fcntl(at->fd, F_SETFL, flags & ~O_ASYNC) < 0 || fcntl(at->fd, F_SETFL, flags) < 0)
		return fail(-errno, "fcntl(F_SETFL, O_ASYNC)");
	return 0;
}

/* The first pass never waits, so the later ones cannot wait for each other. */
static int open_files(struct restore *r, struct restore_task *rt)
{
	int err;

	if (!rt->files_owner)
		return 0;
	/* The tool's own standard descriptors; all our others are at service_base and above. */
	if (r->service_base > 0 && close_range(0, r->service_base - 1, 0) < 0)
		return fail(-errno, "close_range");
	err = for_each_file(r, rt, is_own_maker, open_own);
	opener_leave(r);
	return err;
}

static int take_made_files(struct restore *r, struct restore_task *rt)
{
	int err = rt->files_owner ? for_each_file(r, rt, is_own_made, take_made) : 0;

	if (!err && !r->process.only_receives)
		shared_reach(r->shared, STAGE_OPENED);
	return err;
}

static int take_files(struct restore *r, struct restore_task *rt)
{
	int err = rt->files_owner ? for_each_file(r, rt, is_others, take) : 0;

	if (!err)
		shared_reach(r->shared, STAGE_FILES);
	return err;
}

static int finish_files(struct restore *r, struct restore_task *rt)
{
	int err = rt->files_owner ? for_each_file(r, rt, is_own, finish) : 0;

	return !err && rt->files_owner && r->process.has_async ? for_each_file(r, rt, is_own, name_in_signals) : err;
}

/*
 * A task that only receives files does not wait for others to receive theirs, unless it shares a table with them, where
 * it must not open anything meanwhile.
 */
static bool waits_for_all(const struct restore *r, struct restore_task *rt)
{
	if (r->process.vm_peers || rt->files_shared)
		return true;
	for (size_t i = 0; i < rt->nr_fds; i++)
		if (is_own(rt, rt->fds[i].file))
			return true;
	return false;
}

/* It would be woken when all tasks exist, and again for each file. */
int restore_await_files(struct restore *r, struct restore_task *rt)
{
	if (waits_for_all(r, rt) || r->shared->expected[STAGE_GROUPED])
		return 0;
	r->process.only_receives = true;
	shared_reach(r->shared, STAGE_OPENED);
	return shared_wait(r->shared, STAGE_OPENED);
}

int restore_open_files(struct restore *r, struct restore_task *rt)
{
	int err = vm_peers_run(r, rt, open_files);

	if (!err)
		err = vm_peers_run(r, rt, take_made_files);
	if (!err)
		err = vm_peers_run(r, rt, take_files);
	if (err || !waits_for_all(r, rt))
		return err;
	err = shared_wait(r->shared, STAGE_FILES);
	return err ? err : vm_peers_run(r, rt, finish_files);
}
