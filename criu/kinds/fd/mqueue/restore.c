// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors of POSIX message queues are opened in the tool before it forks, in the IPC namespaces of their owners. */
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kinds/fd/record_table.h"
#include "run/ipc_ns.h"
#include "kinds/fd/reopen.h"
#include "run/opener.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

static const MqueueEntry *mqueue_of(const struct file *file)
{
	return file->entry->ext ? file->entry->ext->mqueue : NULL;
}

/* @name: with its slash, as in all names here. */
static struct mqueue_properties mqueue_properties_of(const MqueueEntry *mq, const char *name)
{
	return (struct mqueue_properties){
		.name = name + 1,
		.maxmsg = mq->maxmsg,
		.msgsize = mq->msgsize,
		.mode = mq->mode,
		.uid = mq->uid,
		.gid = mq->gid,
		.charge = mq->charge,
		.nr_messages = mq->n_content,
		.messages = mq->content,
	};
}

int mqueue_load(struct restore *r, struct file *file, void *state)
{
	const MqueueEntry *mq = mqueue_of(file);
	struct mqueue_properties queue;

	if (!mq)
		return fail(-ENOTSUP, "files.img: file %u: saved by a plugin; plugins are not supported", file->id);
	if (mq->name[0] != '/')
		return fail(-EBADMSG, "files.img: file %u: invalid message queue name %s", file->id, mq->name);
	queue = mqueue_properties_of(mq, mq->name);
	if (mqueue_check_charge(r, mq->charge))
		return fail(
			-EBADMSG,
			"files.img: file %u: message queue %s counts against a user namespace that is not in the images",
			file->id, mq->name);
	if (mqueue_check_properties(&queue) || (mq->unlinked && mq->messages != mq->n_content))
		return fail(
			-EBADMSG,
			"files.img: file %u: invalid message queue %s of %lu messages of %lu bytes, with %lu messages",
			file->id, mq->name, mq->maxmsg, mq->msgsize, mq->messages);
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

static int mqueue_create(const struct restore *r, const MqueueEntry *mq, const char *name)
{
	const struct mqueue_properties queue = mqueue_properties_of(mq, name);

	return mqueue_make(r, NULL, &queue);
}

/* An unlinked queue temporarily gets its old name, or another one if that is in use. */
static int mqueue_find(struct restore *r, const MqueueEntry *mq, struct mqueue_found *queue)
{
	_cleanup_close_ int fd = mq->unlinked ? -ENOENT : mqueue_sys_open(mq->name, O_RDONLY | O_NONBLOCK);
	char name[32];
	int err;

	queue->name = mq->name;
	if (fd != -ENOENT)
		return fd < 0 && fd != -EACCES ? fail(fd, "open message queue %s", mq->name) : 0;
	if (mq->messages && !mq->unlinked)
		return fail(fd, "message queue %s and the %lu messages in it no longer exist", mq->name, mq->messages);
	if (!mq->unlinked)
		log_warn("message queue %s did not exist: it is recreated", mq->name);
	err = mqueue_create(r, mq, mq->name);
	for (int n = 0; err == -EEXIST && n < 1000; n++) {
		snprintf(name, sizeof(name), "/.cr.%d.%d", (int)getpid(), n);
		queue->name = arena_strdup(&r->arena, name);
		err = queue->name ? mqueue_create(r, mq, name) : -ENOMEM;
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
	int flags = (int)(mq->flags & (O_ACCMODE | O_NONBLOCK | O_CLOEXEC)), fd, err = 0;
	struct stat st;

	for (size_t i = 0; to && !queue->made && !mqueue_is_private(queue) && !err && i < to->n; i++) {
		err = opener_enter(r, to->openers[i]);
		fd = err ? -1 : mqueue_sys_open(queue->name, flags);
		if (fd >= 0)
			close(fd);
		else if (!err)
			err = fd;
	}
	opener_leave(r);
	if (err && err != -EACCES)
		return err;
	fd = mqueue_sys_open(queue->name, flags);
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

int mqueue_in_namespaces(struct restore *r)
{
	struct mqueue_restore *data;
	int err = 0;

	/* Unlinked ones last: they borrow their old names, which named ones may have by now. */
	for (size_t n = 0; n < 2 * r->plan.nr_files && err >= 0; n++) {
		const size_t i = n % r->plan.nr_files;
		const bool unlinked = n >= r->plan.nr_files;

		if (r->plan.files[i].kind != &mqueue_kind || !!mqueue_of(&r->plan.files[i])->unlinked != unlinked)
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

void mqueue_failed(struct restore *r)
{
	struct mqueue_restore *data = *restore_kind_data(r, &mqueue_kind);

	if (data)
		mqueue_unlink_created(r, data, true);
}

int mqueue_open(struct restore *r, struct file *file, const void *state)
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
