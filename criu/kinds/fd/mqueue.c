// SPDX-License-Identifier: GPL-2.0-only
/*
 * mq_open(3): POSIX message queues. A queue exists in its IPC namespace with its messages, like a file on disk, so
 * descriptors are opened again by name. Messages cannot be read without removing them: an unlinked queue is only saved
 * if it is empty. A missing empty queue is recreated.
 */
#include <errno.h>
#include <limits.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/ipc_ns.h"
#include "run/dump.h"
#include "run/opener.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

#define MQUEUE_FS_MAGIC 0x19800202
#define MQUEUE_DELETED " (deleted)"

/* Raw system calls: the library functions check and copy, and need librt on older systems. Names have no slash. */
static int mqueue_sys_open(const char *name, int flags, mode_t mode, struct mq_attr *attr)
{
	int fd = (int)syscall(SYS_mq_open, name + 1, flags | O_CLOEXEC, mode, attr);

	return fd < 0 ? -errno : fd;
}

static int mqueue_unlink(const char *name)
{
	return (int)syscall(SYS_mq_unlink, name + 1);
}

static int mqueue_attributes(int fd, struct mq_attr *ret_attr)
{
	return syscall(SYS_mq_getsetattr, fd, NULL, ret_attr) < 0 ? -errno : 0;
}

/* ---- dump ------------------------------------------------------------------------------- */

static bool mqueue_claims(const struct fd_probe *probe)
{
	return probe->fs_magic == MQUEUE_FS_MAGIC && S_ISREG(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       probe->link[0] == '/';
}

struct named {
	const struct fd_probe *probe;
	const char *name;
};

/* 1: the name (still) refers to it, in the IPC namespace that this is called in. */
static int mqueue_look_up(void *arg)
{
	const struct named *n = arg;
	_cleanup_close_ int fd = mqueue_sys_open(n->name, O_RDONLY | O_NONBLOCK, 0, NULL);
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_ino == n->probe->st.st_ino && st.st_dev == n->probe->st.st_dev;
}

/* Is it a queue of another namespace of the tree, or of the tool's? Only where there are several. */
static bool mqueue_is_elsewhere(struct dump *dump, struct named *named)
{
	const struct ns *own = named->probe->task->ns[NS_IPC], *ns;

	if (own && !own->own && mqueue_look_up(named))
		return true;
	ns_for_each(ns, &dump->namespaces, NS_IPC)
		if (ns != own && ipc_ns_of_task(dump_task_of(ns->member), mqueue_look_up, named) == 1)
			return true;
	return false;
}

static int mqueue_find_name(struct dump *dump, const struct fd_probe *probe, MqueueEntry *mq)
{
	struct named named = { probe, mq->name };
	const struct ns *of_root = dump_task_of(dump->tree.root)->ns[NS_IPC];
	int found = ipc_ns_of_task(probe->task, mqueue_look_up, &named);

	if (found < 0)
		return fail(found, "enter the IPC namespace of process %d", probe->task->t.host_pid);
	mq->unlinked = !found;
	if (!found && mqueue_is_elsewhere(dump, &named))
		dump_blocker(dump, probe->task, probe->fd,
			     "message queue %s is in another IPC namespace than the process: close it", mq->name);
	else if (probe->fd < 0 && probe->task->ns[NS_IPC] != of_root)
		dump_blocker(
			dump, probe->task, probe->fd,
			"message queue %s waits in a socket of a process in another IPC namespace than the root of the tree: receive it first",
			mq->name);
	return 0;
}

/*
 * "QSIZE:12  NOTIFY:0  SIGNO:0  NOTIFY_PID:0": the process to be notified of the next message, or 0. Its value is not
 * shown.
 */
static pid_t mqueue_notified(const struct fd_probe *probe)
{
	_cleanup_close_ int fd = reopen_fd(probe->local, O_RDONLY | O_NONBLOCK);
	char text[256], *at;
	ssize_t len = fd < 0 ? fd : pread(fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		return fail(-errno, "read the state of a message queue");
	text[len] = 0;
	at = strstr(text, "NOTIFY_PID:");
	return at ? (pid_t)strtol(at + strlen("NOTIFY_PID:"), NULL, 10) : 0;
}

static int mqueue_check(struct dump *dump, const struct fd_probe *probe, const MqueueEntry *mq)
{
	pid_t notified = mqueue_notified(probe);

	if (notified < 0)
		return notified;
	if (notified && dump_find_task(dump, notified))
		dump_blocker(
			dump, probe->task, probe->fd,
			"message queue %s: process %d has requested a notification (mq_notify), whose value cannot "
			"be read: cancel it, or send a message first",
			mq->name, notified);
	if (mq->unlinked && mq->messages)
		dump_blocker(dump, probe->task, probe->fd,
			     "message queue %s is unlinked, or in another IPC namespace, and has %lu messages, which "
			     "cannot be read without removing them: receive them first",
			     mq->name, mq->messages);
	return 0;
}

static int mqueue_fill(struct dump *dump, const struct fd_probe *probe, MqueueEntry *mq)
{
	struct mq_attr attr = { 0 };
	int err = mqueue_attributes(probe->local, &attr);

	if (err < 0)
		return fail(err, "attributes of a message queue");
	mqueue_entry__init(mq);
	mq->name = dump_strdup(dump, probe->link);
	if (!mq->name)
		return fail(-ENOMEM, "message queue");
	if (str_has_suffix(mq->name, MQUEUE_DELETED))
		mq->name[strlen(mq->name) - strlen(MQUEUE_DELETED)] = 0;
	mq->flags = probe->flags;
	mq->inode = probe->st.st_ino;
	mq->maxmsg = (uint64_t)attr.mq_maxmsg;
	mq->msgsize = (uint64_t)attr.mq_msgsize;
	mq->messages = (uint64_t)attr.mq_curmsgs;
	mq->mode = probe->st.st_mode & 07777;
	mq->uid = dump_uid_of(dump, probe->st.st_uid);
	mq->gid = dump_gid_of(dump, probe->st.st_gid);
	return mqueue_find_name(dump, probe, mq);
}

static int mqueue_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	ExtFileEntry *ext = dump_alloc(dump, sizeof(*ext));
	MqueueEntry *mq = dump_alloc(dump, sizeof(*mq));
	int err;

	if (!ext || !mq)
		return fail(-ENOMEM, "message queue");
	ext_file_entry__init(ext);
	ext->id = entry->id;
	ext->mqueue = mq;
	entry->ext = ext;
	err = dump_fown(dump, probe, &ext->fown);
	if (err >= 0)
		err = mqueue_fill(dump, probe, mq);
	return err < 0 ? err : mqueue_check(dump, probe, mq);
}

/* ---- restore ---------------------------------------------------------------------------- */

static const MqueueEntry *mqueue_of(const struct file *file)
{
	return file->entry->ext ? file->entry->ext->mqueue : NULL;
}

static int mqueue_load(struct restore *r, struct file *file, void *state)
{
	const MqueueEntry *mq = mqueue_of(file);

	if (!mq)
		return fail(-ENOTSUP, "files.img: file %u: saved by a plugin; plugins are not supported", file->id);
	if (mq->name[0] != '/' || !mq->name[1] || strchr(mq->name + 1, '/') || strlen(mq->name) > NAME_MAX)
		return fail(-EBADMSG, "files.img: file %u: invalid message queue name %s", file->id, mq->name);
	if (mq->maxmsg - 1 >= INT32_MAX || mq->msgsize - 1 >= INT32_MAX)
		return fail(-EBADMSG, "files.img: file %u: invalid message queue of %lu messages of %lu bytes",
			    file->id, mq->maxmsg, mq->msgsize);
	if (mq->unlinked && mq->messages)
		return fail(-EBADMSG, "files.img: file %u: unlinked message queue with %lu messages", file->id,
			    mq->messages);
	return 0;
}

/* In the tool before it forks: a queue, and all its descriptors, which tasks inherit and copy. */
struct mqueue_found {
	struct record record; /* inode of the queue, number of its namespace */
	const struct ns *ns; /* IPC namespace; NULL: the root's */
	const char *name; /* under which it was found or created */
	bool made;
};
struct mqueue_opened {
	struct record record; /* 0, file id */
	int fd;
};
struct mqueue_restore {
	struct record_table queues, files;
};

/* The namespace that the restore has created has no queues but those of the images. */
static bool mqueue_is_private(const struct mqueue_found *queue)
{
	return queue->ns && !queue->ns->own;
}

static const struct ns *mqueue_ns(const struct file *file)
{
	return file->owner ? file->owner->ns[NS_IPC] : NULL;
}

static struct mqueue_found *mqueue_found(struct mqueue_restore *data, const struct file *file)
{
	const struct ns *ns = mqueue_ns(file);

	return record_find(&data->queues, mqueue_of(file)->inode, ns ? ns->id : 0);
}

/* -EEXIST is not logged. */
static int mqueue_create(const MqueueEntry *mq, const char *name)
{
	struct mq_attr attr = { .mq_maxmsg = (long)mq->maxmsg, .mq_msgsize = (long)mq->msgsize };
	_cleanup_close_ int fd = mqueue_sys_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);

	if (fd == -EEXIST)
		return fd;
	if (fd < 0)
		return fail(fd,
			    "create message queue %s for %lu messages of %lu bytes (fs.mqueue.msg_max and "
			    "fs.mqueue.msgsize_max are the limits)",
			    name, mq->maxmsg, mq->msgsize);
	if (fchown(fd, mq->uid, mq->gid) < 0 || fchmod(fd, mq->mode) < 0) {
		mqueue_unlink(name);
		return fail(-errno, "set the owner of message queue %s to %u:%u", name, mq->uid, mq->gid);
	}
	return 0;
}

/* An unlinked queue temporarily gets its old name, or another one if that is in use. */
static int mqueue_find(struct restore *r, const MqueueEntry *mq, struct mqueue_found *queue)
{
	_cleanup_close_ int fd = mq->unlinked ? -ENOENT : mqueue_sys_open(mq->name, O_RDONLY | O_NONBLOCK, 0, NULL);
	char name[32];
	int err;

	queue->name = mq->name;
	if (fd != -ENOENT)
		return fd < 0 && fd != -EACCES ? fail(fd, "open message queue %s", mq->name) : 0;
	if (mq->messages)
		return fail(fd, "message queue %s and the %lu messages in it no longer exist", mq->name, mq->messages);
	if (!mq->unlinked)
		log_warn("message queue %s did not exist: it is recreated", mq->name);
	err = mqueue_create(mq, mq->name);
	for (int n = 0; err == -EEXIST && n < 1000; n++) {
		snprintf(name, sizeof(name), "/.cr.%d.%d", (int)getpid(), n);
		queue->name = arena_strdup(&r->arena, name);
		err = queue->name ? mqueue_create(mq, name) : -ENOMEM;
	}
	if (err < 0)
		return err == -EEXIST ? fail(err, "message queue %s: no free name", mq->name) : err;
	queue->made = true;
	return 0;
}

/* Its owners must have the permission to open it themselves, unless it is the very queue of the dump, unchanged. */
static int mqueue_open_for(struct restore *r, const struct audience *to, const struct mqueue_found *queue,
			   const MqueueEntry *mq)
{
	int flags = (int)(mq->flags & (O_ACCMODE | O_NONBLOCK)), fd, err = 0;
	struct stat st;

	for (size_t i = 0; to && !queue->made && !mqueue_is_private(queue) && !err && i < to->n; i++) {
		err = opener_enter(r, to->openers[i]);
		fd = err ? -1 : mqueue_sys_open(queue->name, flags, 0, NULL);
		if (fd >= 0)
			close(fd);
		else if (!err)
			err = fd;
	}
	opener_leave(r);
	if (err && err != -EACCES)
		return err;
	fd = mqueue_sys_open(queue->name, flags, 0, NULL);
	if (fd < 0 || !err ||
	    (!fstat(fd, &st) && st.st_ino == mq->inode && st.st_uid == mq->uid && st.st_gid == mq->gid &&
	     (st.st_mode & 07777) == mq->mode))
		return fd;
	close(fd);
	return err;
}

static int mqueue_open_one(struct restore *r, struct mqueue_restore *data, const struct file *file)
{
	const MqueueEntry *mq = mqueue_of(file);
	struct mqueue_opened *opened = record_new(&r->arena, &data->files, 0, file->id, sizeof(*opened));
	struct mqueue_found *queue = mqueue_found(data, file);
	int fd, err = 0;

	if (!opened)
		return fail(-ENOMEM, "message queue");
	opened->fd = -1;
	if (!queue) {
		const struct ns *ns = mqueue_ns(file);

		queue = record_new(&r->arena, &data->queues, mq->inode, ns ? ns->id : 0, sizeof(*queue));
		if (!queue)
			return fail(-ENOMEM, "message queue");
		queue->ns = ns;
		err = mqueue_find(r, mq, queue);
	}
	if (err < 0)
		return err;
	fd = mqueue_open_for(r, audience_of_file(r, file), queue, mq);
	opened->fd = fd < 0 ? fd : move_fd_above(fd, r->service_base);
	return opened->fd < 0 ? fail(opened->fd, "open message queue %s", queue->name) : 0;
}

static int mqueue_unlink_it(void *arg)
{
	const struct mqueue_found *queue = arg;

	if (mqueue_unlink(queue->name) < 0)
		log_warn("message queue %s is left behind: %s", queue->name, strerror(errno));
	return 0;
}

/* Removes the queues that were created: all of them, or only the names that must not exist. */
static void mqueue_unlink_created(struct restore *r, struct mqueue_restore *data, bool all)
{
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		const MqueueEntry *mq = r->plan.files[i].kind == &mqueue_kind ? mqueue_of(&r->plan.files[i]) : NULL;
		struct mqueue_found *queue = mq ? mqueue_found(data, &r->plan.files[i]) : NULL;

		if (!queue || !queue->made || !(all || mq->unlinked))
			continue;
		/* After a failure its namespace goes as well. */
		if (!all || !mqueue_is_private(queue))
			ipc_ns_of_restore(r, queue->ns, mqueue_unlink_it, queue);
		queue->made = false;
	}
}

struct mqueue_opening {
	struct restore *r;
	struct mqueue_restore *data;
	const struct file *file;
};

static int mqueue_open_inside(void *arg)
{
	const struct mqueue_opening *o = arg;

	return mqueue_open_one(o->r, o->data, o->file);
}

static int mqueue_in_namespaces(struct restore *r)
{
	struct mqueue_restore *data;
	int err = 0;

	for (size_t i = 0; i < r->plan.nr_files && err >= 0; i++) {
		if (r->plan.files[i].kind != &mqueue_kind)
			continue;
		data = kind_data_of(&r->arena, restore_kind_data(r, &mqueue_kind), sizeof(*data));
		err = data ? ipc_ns_of_restore(r, mqueue_ns(&r->plan.files[i]), mqueue_open_inside,
					       &(struct mqueue_opening){ r, data, &r->plan.files[i] }) :
			     fail(-ENOMEM, "message queue");
	}
	data = *restore_kind_data(r, &mqueue_kind);
	if (data)
		mqueue_unlink_created(r, data, err < 0);
	return err;
}

static void mqueue_failed(struct restore *r)
{
	struct mqueue_restore *data = *restore_kind_data(r, &mqueue_kind);

	if (data)
		mqueue_unlink_created(r, data, true);
}

static int mqueue_open(struct restore *r, struct file *file, const void *state)
{
	const struct mqueue_restore *data = *restore_kind_data(r, &mqueue_kind);
	const struct mqueue_opened *opened = record_find(&data->files, 0, file->id);
	_cleanup_close_ int fd = dup_fd_above(opened->fd, 0);
	int err;

	if (fd < 0)
		return fail(fd, "message queue %s", mqueue_of(file)->name);
	err = set_status_flags(r, fd, mqueue_of(file)->flags, file->entry->ext->fown);
	return err < 0 ? err : steal_fd(&fd);
}

const struct fd_kind mqueue_kind = {
	.name = "mqueue",
	.image_type = FD_TYPES__EXT,
	.for_untrusted = true,
	.claims = mqueue_claims,
	.save = mqueue_save,
	.load = mqueue_load,
	.open = mqueue_open,
};

const struct run_kind mqueue_run = {
	.name = "mqueue",
	.in_namespaces = mqueue_in_namespaces,
	.failed = mqueue_failed,
};
