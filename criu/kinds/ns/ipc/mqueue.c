// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues that have a name, whether they are open or not: mq_overview(7). The file system of the namespace
 * lists them; it is mounted where no process sees it.
 */
#include <dirent.h>
#include <errno.h>
#include <mqueue.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kinds/kinds.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#define FS_OPEN_CLOEXEC 1
#define FS_CONFIG_CREATE 6
#define FS_MOUNT_CLOEXEC 1

/* ---- dump ---- */

/* Root directory of the file system; -ENODEV: the kernel has no POSIX queues. */
static int open_file_system(void)
{
	_cleanup_close_ int context = (int)syscall(SYS_fsopen, "mqueue", FS_OPEN_CLOEXEC);
	_cleanup_close_ int mount = -1;

	if (context < 0 || syscall(SYS_fsconfig, context, FS_CONFIG_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = (int)syscall(SYS_fsmount, context, FS_MOUNT_CLOEXEC, 0);
	return mount < 0 ? -errno : open_at(mount, ".", O_RDONLY | O_DIRECTORY, 0);
}

static int save_messages(struct dump *dump, const struct ns *ns, int fd, IpcMqueueEntry *mq, long nr)
{
	struct mqueue_properties queue = { .name = mq->name };
	int err = mqueue_save_messages(dump, fd, &queue);

	if (err == 1) {
		dump_blocker(
			dump, dump_task_of(ns->member), -1,
			"message queue /%s of its IPC namespace has %ld messages, which cannot be read without removing them, as BPF is not available (see the log): receive them first",
			mq->name, nr);
		return 0;
	}
	mq->n_messages = queue.nr_messages;
	mq->messages = queue.messages;
	return err;
}

static int save_queue(struct dump *dump, const struct ns *ns, int dir, const char *name, IpcMqueueEntry *mq)
{
	_cleanup_close_ int fd = open_at(dir, name, O_RDONLY | O_NONBLOCK, 0);
	struct mq_attr attr = { 0 };
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st) < 0 || syscall(SYS_mq_getsetattr, fd, NULL, &attr) < 0)
		return fail(fd < 0 ? fd : -errno, "open message queue /%s", name);
	ipc_mqueue_entry__init(mq);
	mq->name = dump_strdup(dump, name);
	if (!mq->name)
		return fail(-ENOMEM, "message queues");
	mq->maxmsg = (uint64_t)attr.mq_maxmsg;
	mq->msgsize = (uint64_t)attr.mq_msgsize;
	mq->mode = st.st_mode & 07777;
	if (!id_map_has(&dump->uid_map, st.st_uid) || !id_map_has(&dump->gid_map, st.st_gid))
		dump_blocker(
			dump, dump_task_of(ns->member), -1,
			"message queue /%s of its IPC namespace belongs to user %u, group %u, which is not mapped in its user namespace: that is not supported; remove it",
			name, st.st_uid, st.st_gid);
	mq->uid = dump_uid_of(dump, st.st_uid);
	mq->gid = dump_gid_of(dump, st.st_gid);
	err = mqueue_save_charge(dump, fd, name, &mq->charge);
	return !err && attr.mq_curmsgs ? save_messages(dump, ns, fd, mq, attr.mq_curmsgs) : err;
}

ARRAY_OF(queue_array, IpcMqueueEntry *);

static int add_queue(struct dump *dump, const struct ns *ns, int dir, const char *name, struct queue_array *queues)
{
	IpcMqueueEntry *mq = dump_alloc(dump, sizeof(*mq));
	int err = mq ? save_queue(dump, ns, dir, name, mq) : fail(-ENOMEM, "message queues");

	if (err == -ENOENT && dump_is_check(dump))
		return 0;
	return err ? err : array_add(queues, mq);
}

static int list_queues(struct dump *dump, const struct ns *ns, int dir, struct queue_array *queues)
{
	int list = dup_fd_above(dir, 0), err = 0;
	_cleanup_closedir_ DIR *d = list < 0 ? NULL : fdopendir(list);
	const struct dirent *e;

	if (!d) {
		err = -errno;
		if (list >= 0)
			close(list);
		return fail(err, "list POSIX message queues");
	}
	while (!err && (e = readdir(d)))
		if (e->d_name[0] != '.' || (e->d_name[1] && strcmp(e->d_name, "..")))
			err = add_queue(dump, ns, dir, e->d_name, queues);
	return err;
}

int ipc_mqueue_save(struct dump *dump, const struct ns *ns, IpcVarEntry *vars)
{
	_cleanup_close_ int dir = open_file_system();
	struct queue_array queues = { 0 };
	int err;

	if (dir == -ENODEV)
		return 0;
	if (dir < 0)
		return fail(dir, "mount the mqueue file system of the IPC namespace of process %d%s",
			    dump_task_of(ns->member)->t.host_pid,
			    dir == -EPERM ?
				    ": run criu as root, or in a mount namespace that belongs to its user namespace "
				    "(unshare --mount)" :
				    "");
	err = list_queues(dump, ns, dir, &queues);
	if (!err && queues.n) {
		vars->mqueues = dump_alloc(dump, queues.n * sizeof(*queues.v));
		if (!vars->mqueues)
			err = fail(-ENOMEM, "message queues");
		else
			memcpy(vars->mqueues, queues.v, queues.n * sizeof(*queues.v));
		vars->n_mqueues = queues.n;
	}
	array_free(&queues);
	return err;
}

/* ---- restore ---- */

static struct mqueue_properties properties_of(const IpcMqueueEntry *mq)
{
	return (struct mqueue_properties){
		.name = mq->name,
		.maxmsg = mq->maxmsg,
		.msgsize = mq->msgsize,
		.mode = mq->mode,
		.uid = mq->uid,
		.gid = mq->gid,
		.charge = mq->charge,
		.nr_messages = mq->n_messages,
		.messages = mq->messages,
	};
}

int ipc_mqueue_load(const struct restore *r, const struct ns *ns, const IpcVarEntry *vars)
{
	for (size_t i = 0; i < vars->n_mqueues; i++) {
		const struct mqueue_properties queue = properties_of(vars->mqueues[i]);

		if (mqueue_check_charge(r, queue.charge))
			return fail(
				-EBADMSG,
				"ipcns-var-%u.img: message queue /%s counts against a user namespace that is not in the images",
				ns->id, queue.name);
		if (mqueue_check_properties(&queue))
			return fail(
				-EBADMSG,
				"ipcns-var-%u.img: invalid message queue /%s of %lu messages of %lu bytes, mode 0%o, with %zu messages",
				ns->id, queue.name, queue.maxmsg, queue.msgsize, queue.mode, queue.nr_messages);
	}
	return 0;
}

int ipc_mqueue_fill(const struct restore *r, const struct ns *ns, const IpcVarEntry *vars)
{
	int err = 0;

	for (size_t i = 0; !err && i < vars->n_mqueues; i++) {
		const struct mqueue_properties queue = properties_of(vars->mqueues[i]);

		err = mqueue_make(r, ns, &queue);
		if (err == -EEXIST)
			return fail(err, "create message queue /%s: the images have it twice", queue.name);
	}
	return err;
}
