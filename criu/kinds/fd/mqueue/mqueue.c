// SPDX-License-Identifier: GPL-2.0-only
/*
 * mq_open(3): POSIX message queues. A queue exists in its IPC namespace with its messages, like a file on disk, so
 * descriptors are opened again by name: those of IPC namespaces of the tree are restored with them (kinds/ns/ipc). An
 * unlinked queue is saved with its messages. A missing empty queue is recreated.
 */
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kinds/fd/reopen.h"
#include "run/describe.h"
#include "run/ipc_ns.h"
#include "run/dump.h"
#include "util/log.h"
#include "util/str.h"

#define MQUEUE_FS_MAGIC 0x19800202
#define MQUEUE_DELETED " (deleted)"

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
	_cleanup_close_ int fd = mqueue_sys_open(n->name, O_RDONLY | O_NONBLOCK);
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_ino == n->probe->st.st_ino && st.st_dev == n->probe->st.st_dev;
}

static int mqueue_find_name(struct dump *dump, const struct fd_probe *probe, MqueueEntry *mq)
{
	struct named named = { probe, mq->name };
	const struct ns *of_root = dump_task_of(dump->tree.root)->ns[NS_IPC];
	int found = ipc_ns_of_task(probe->task, mqueue_look_up, &named);

	if (found < 0)
		return fail(found, "enter the IPC namespace of process %d", probe->task->t.host_pid);
	mq->unlinked = !probe->st.st_nlink;
	if (!found && !mq->unlinked)
		dump_blocker(dump, probe->task, probe->fd,
			     "message queue %s is in another IPC namespace than the process: close it", mq->name);
	else if (probe->fd < 0 && probe->task->ns[NS_IPC] != of_root)
		dump_blocker(
			dump, probe->task, probe->fd,
			"message queue %s waits in a socket of a process in another IPC namespace than the root of the tree: receive it first",
			mq->name);
	return 0;
}

/* Nobody else can receive them after the dump. */
static int mqueue_save_content(struct dump *dump, const struct fd_probe *probe, MqueueEntry *mq)
{
	_cleanup_close_ int fd = reopen_fd(probe->local, O_RDONLY | O_NONBLOCK);
	struct mqueue_properties queue = { .name = mq->name + 1 };
	int err = fd < 0 ? fail(fd, "open message queue %s", mq->name) : mqueue_save_messages(dump, fd, &queue);

	if (err == 1) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"message queue %s is unlinked, and has %lu messages, which "
			"cannot be read without removing them, as BPF is not available (see the log): receive them first",
			mq->name, mq->messages);
		return 0;
	}
	mq->n_content = queue.nr_messages;
	mq->content = queue.messages;
	return err;
}

static int mqueue_check(struct dump *dump, const struct fd_probe *probe, uint32_t id, MqueueEntry *mq)
{
	int err = mqueue_save_notify(dump, probe, id, mq);

	if (err)
		return err;
	if (!mq->unlinked)
		return 0;
	err = mqueue_note_unlinked(dump, probe, mq->name);
	return !err && mq->messages ? mqueue_save_content(dump, probe, mq) : err;
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
	if (!probe->st.st_nlink && str_has_suffix(mq->name, MQUEUE_DELETED))
		mq->name[strlen(mq->name) - strlen(MQUEUE_DELETED)] = 0;
	mq->flags = probe->flags;
	mq->inode = probe->st.st_ino;
	mq->maxmsg = (uint64_t)attr.mq_maxmsg;
	mq->msgsize = (uint64_t)attr.mq_msgsize;
	mq->messages = (uint64_t)attr.mq_curmsgs;
	mq->mode = probe->st.st_mode & 07777;
	mq->uid = dump_uid_of(dump, probe->st.st_uid);
	mq->gid = dump_gid_of(dump, probe->st.st_gid);
	err = mqueue_save_charge(dump, probe->local, mq->name + 1, &mq->charge);
	return err < 0 ? err : mqueue_find_name(dump, probe, mq);
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
	return err < 0 ? err : mqueue_check(dump, probe, entry->id, mq);
}

static void mqueue_describe(const FileEntry *entry, struct description *d)
{
	if (entry->ext && entry->ext->mqueue)
		describe_add(d, "message queue /%s", entry->ext->mqueue->name);
}

const struct fd_kind mqueue_kind = {
	.name = "mqueue",
	.image_type = FD_TYPES__EXT,
	.for_untrusted = true,
	.claims = mqueue_claims,
	.save = mqueue_save,
	.load = mqueue_load,
	.open = mqueue_open,
	.describe = mqueue_describe,
};

const struct run_kind mqueue_run = {
	.name = "mqueue",
	.save_end = mqueue_check_outside,
	.in_namespaces = mqueue_in_namespaces,
	.failed = mqueue_failed,
};
