// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registrations for notification: mq_notify(3). fdinfo shows the process and the kind of notification; the value of a signal is
 * read from kernel memory. The process makes the call again when nothing is left to be closed: when it closes any descriptor of the
 * queue, its registration ends. That of SIGEV_THREAD belongs to a netlink socket of libc, which has to be the same one: refused.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "compel/compel.h"
#include "internal.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kmem/mqueue.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* ---- dump ---- */

struct notify {
	struct record record; /* device, inode of the queue */
	const struct dump_task *task; /* the process; NULL: none of the tree */
	MqueueNotify *image;
	const char *name;
	bool has_fd;
};

/* An entry of the file of a queue. */
struct queue_file {
	struct record record; /* 0, file id */
	struct notify *notify;
};

struct notify_dump {
	struct record_table queues, files;
};

/* "QSIZE:12  NOTIFY:0  SIGNO:0  NOTIFY_PID:0" */
static int read_state(const struct fd_probe *probe, struct mqueue_notify *ret, pid_t *ret_pid)
{
	_cleanup_close_ int fd = reopen_fd(probe->local, O_RDONLY | O_NONBLOCK);
	char text[256], *at;
	ssize_t len = fd < 0 ? fd : pread(fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		return fail(-errno, "read the state of a message queue");
	text[len] = 0;
	*ret_pid = 0;
	at = strstr(text, "NOTIFY:");
	if (at && sscanf(at, "NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &ret->how, &ret->signal, ret_pid) != 3)
		return fail(-EBADMSG, "unknown state of a message queue: %s", text);
	return 0;
}

/* 1: the value cannot be read. */
static int read_value(struct dump *dump, const struct fd_probe *probe, struct mqueue_notify *notify)
{
	struct mqueue_dump *data = NULL;
	struct mqueue_notify now;
	int err = notify->how == SIGEV_SIGNAL ? mqueue_dump_reader(dump, &data) : 0;

	if (err || notify->how != SIGEV_SIGNAL || dump_is_check(dump))
		return err;
	err = mqueue_notify_read(data->reader, probe->local, &now);
	if (err == -EOPNOTSUPP)
		return 1;
	if (err)
		return fail(err, "read the notification of a message queue");
	notify->value = now.value;
	return 0;
}

static const char *why_not(const struct mqueue_notify *notify, int unreadable)
{
	if (notify->how == SIGEV_THREAD)
		return "by a new thread (SIGEV_THREAD), which depends on a netlink socket of libc, and is not supported";
	return unreadable ? "whose value cannot be read, as BPF is not available (see the log)" : NULL;
}

static int note(struct dump *dump, const struct fd_probe *probe, const char *name, struct notify *n)
{
	struct mqueue_notify notify = { 0 };
	const char *why;
	pid_t pid = 0;
	int err = read_state(probe, &notify, &pid);

	n->name = name;
	n->task = pid && !err ? dump_find_task(dump, pid) : NULL;
	if (err || !n->task)
		return err;
	err = read_value(dump, probe, &notify);
	if (err < 0)
		return err;
	why = why_not(&notify, err);
	if (why)
		dump_blocker(
			dump, probe->task, probe->fd,
			"message queue %s: process %d has requested a notification (mq_notify) %s: cancel it, or send a message first",
			name, pid, why);
	/* A message of a process outside the tree may have used it up. */
	err = why ? 0 : read_state(probe, &notify, &pid);
	if (err || why || !pid) {
		n->task = NULL;
		return err;
	}
	n->image = dump_alloc(dump, sizeof(*n->image));
	if (!n->image)
		return fail(-ENOMEM, "message queue");
	mqueue_notify__init(n->image);
	n->image->pid = dump_pid_of(dump, pid);
	n->image->how = (uint32_t)notify.how;
	n->image->signal = (uint32_t)notify.signal;
	n->image->value = notify.value;
	return 0;
}

/* By which descriptor the process makes the call again. */
static void use_fd(struct notify *n, const struct fd_probe *probe)
{
	if (!n->task || n->has_fd || probe->fd < 0 || probe->task->t.ids.files != n->task->t.ids.files)
		return;
	n->has_fd = true;
	n->image->fd = (uint32_t)probe->fd;
}

int mqueue_save_notify(struct dump *dump, const struct fd_probe *probe, uint32_t id, MqueueEntry *mq)
{
	struct notify_dump *data = kind_data_of(&dump->arena, dump_kind_data(dump, &mqueue_notify_run), sizeof(*data));
	struct notify *n = data ? record_find(&data->queues, probe->st.st_dev, probe->st.st_ino) : NULL;
	struct queue_file *file = data ? record_new(&dump->arena, &data->files, 0, id, sizeof(*file)) : NULL;
	int err = 0;

	if (!file)
		return fail(-ENOMEM, "message queue");
	if (!n) {
		n = record_new(&dump->arena, &data->queues, probe->st.st_dev, probe->st.st_ino, sizeof(*n));
		err = n ? note(dump, probe, mq->name, n) : fail(-ENOMEM, "message queue");
		if (!err)
			mq->notify = n->image;
	}
	file->notify = n;
	if (!err)
		use_fd(n, probe);
	return err;
}

static int find_fd(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh)
{
	const struct notify_dump *data = *dump_kind_data(dump, &mqueue_notify_run);
	const struct queue_file *file = data ? record_find(&data->files, 0, id) : NULL;

	/* Of a fresh file: when it is saved. */
	if (file)
		use_fd(file->notify, probe);
	return 0;
}

static int check_all(struct dump *dump)
{
	const struct notify_dump *data = *dump_kind_data(dump, &mqueue_notify_run);

	for (const struct record *r = data ? data->queues.first : NULL; r; r = r->next) {
		const struct notify *n = (const struct notify *)r;

		if (n->task && !n->has_fd)
			dump_blocker(
				dump, n->task, -1,
				"it has requested a notification (mq_notify) of message queue %s, which it has no descriptor of any more: that is not supported; send a message first",
				n->name);
	}
	return 0;
}

/* ---- restore ---- */

static const MqueueNotify *notify_of(const struct file *file)
{
	const ExtFileEntry *ext = file->kind == &mqueue_kind ? file->entry->ext : NULL;

	return ext && ext->mqueue ? ext->mqueue->notify : NULL;
}

static bool has_queue(struct restore *r, const struct restore_task *task, uint32_t fd, uint64_t inode)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		if (rt->t.state == TASK_DEAD || !rt->files_owner || rt->t.ids.files != task->t.ids.files)
			continue;
		for (size_t i = 0; i < rt->nr_fds; i++) {
			const struct file *file = rt->fds[i].file;

			if ((uint32_t)rt->fds[i].fd == fd && file->kind == &mqueue_kind)
				return file->entry->ext->mqueue->inode == inode;
		}
	}
	return false;
}

static int link_all(struct restore *r)
{
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		const struct file *file = &r->plan.files[i];
		const MqueueNotify *n = notify_of(file);
		const struct restore_task *task = n ? restore_find_task(r, n->pid) : NULL;

		if (!n)
			continue;
		if ((n->how != SIGEV_NONE && n->how != SIGEV_SIGNAL) || n->signal > 64 ||
		    (n->how == SIGEV_SIGNAL && !n->signal) || !task || task->t.state == TASK_DEAD ||
		    !has_queue(r, task, n->fd, file->entry->ext->mqueue->inode))
			return fail(
				-EBADMSG,
				"files.img: file %u: invalid notification of process %d, descriptor %u, with signal %u",
				file->id, n->pid, n->fd, n->signal);
	}
	return 0;
}

static int call(struct compel_ctl *ctl, long nr, unsigned long a, unsigned long b, unsigned long c)
{
	long value;
	int err = compel_syscall(ctl, nr, (const unsigned long[6]){ a, b, c }, &value);

	return err < 0 ? err : value < 0 ? (int)value : 0;
}

static int request(struct restore *r, const struct restore_task *rt, const MqueueNotify *n, struct compel_ctl *ctl,
		   uint64_t scratch)
{
	struct sigevent event = { .sigev_notify = (int)n->how, .sigev_signo = (int)n->signal };
	struct iovec local = { &event, sizeof(event) }, remote = { (void *)(uintptr_t)scratch, sizeof(event) };
	int err = 0;

	memcpy(&event.sigev_value, &n->value, sizeof(n->value));
	/* What of the restorer's own is still open and might be the queue. */
	if (rt->files_shared)
		err = call(ctl, SYS_close_range, (unsigned)r->service_base, ~0u, 0);
	if (err)
		return err;
	if (process_vm_writev(rt->t.host_pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(event))
		return -EFAULT;
	return call(ctl, SYS_mq_notify, n->fd, scratch, 0);
}

static int restore_one(struct restore *r, const struct file *file, const MqueueNotify *n)
{
	const struct restore_task *rt = restore_find_task(r, n->pid);
	const char *name = file->entry->ext->mqueue->name;
	struct compel_ctl *ctl = NULL;
	uint64_t scratch = 0;
	int cured, err = restore_enter(r, rt, &ctl, &scratch);

	if (err)
		fail(err, "make system calls in the task");
	else
		err = request(r, rt, n, ctl, scratch);
	if (err == -EBUSY)
		fail(err, "message queue %s: another process has requested a notification in the meantime", name);
	else if (err)
		fail(err, "message queue %s: mq_notify", name);
	cured = ctl ? compel_cure(ctl) : 0;
	return err ? err : cured ? fail(cured, "leave the task") : 0;
}

static int restore_all(struct restore *r)
{
	int err = 0;

	for (size_t i = 0; !err && i < r->plan.nr_files; i++) {
		const MqueueNotify *n = notify_of(&r->plan.files[i]);

		if (!n)
			continue;
		LOG_SCOPE("pid %d", n->pid);
		err = restore_one(r, &r->plan.files[i], n);
	}
	return err;
}

const struct run_kind mqueue_notify_run = {
	.name = "mqueue notification",
	.save_fd = find_fd,
	.save_end = check_all,
	.link = link_all,
	.ready = restore_all,
};
