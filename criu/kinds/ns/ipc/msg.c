// SPDX-License-Identifier: GPL-2.0-only
/* System V message queues: msgctl(2). Messages are read without being removed: msgrcv(2), MSG_COPY */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "ipc-msg.pb-c.h"
#include "util/log.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

/* Messages are padded to this in images. */
#define PADDING 8

/* As msgsnd(2) and msgrcv(2) want it. */
struct message {
	long type;
	char data[];
};

/* ---- dump ---- */

/* The queue with this index in the kernel's table; its id or a negative errno. */
static int stat_queue(int index, struct msqid_ds *ret)
{
	int id = msgctl(index, MSG_STAT_ANY, ret);

	/* Before Linux 4.17: those that we may read. */
	if (id < 0 && errno == EINVAL)
		id = msgctl(index, MSG_STAT, ret);
	return id < 0 ? -errno : id;
}

static int write_message(struct image_writer *img, const struct message *m, size_t size)
{
	static const char zeros[PADDING];
	IpcMsg entry = IPC_MSG__INIT;
	int err;

	entry.mtype = (uint64_t)m->type;
	entry.msize = (uint32_t)size;
	err = image_write_record(img, &entry.base);
	if (!err)
		err = image_write_raw(img, m->data, size);
	return err ? err : image_write_raw(img, zeros, ROUND_UP(size, PADDING) - size);
}

static int refuse_read(struct dump *dump, const struct ns *ns, int id, unsigned long number, int err)
{
	const struct dump_task *task = dump_task_of(ns->member);

	if (err == -EINVAL)
		dump_blocker(
			dump, task, -1,
			"message %lu of System V queue %d of its IPC namespace is larger than kernel.msgmax there, and cannot be read: raise kernel.msgmax (nsenter -t %d --ipc sysctl), or receive the message",
			number, id, task->t.host_pid);
	else if (err == -ENOSYS)
		dump_blocker(
			dump, task, -1,
			"System V queue %d of its IPC namespace has messages, which this kernel cannot read without removing them (CONFIG_CHECKPOINT_RESTORE): receive them first",
			id);
	else
		return fail(err, "read message %lu of System V queue %d", number, id);
	return 1;
}

/* 1: refused */
static int save_messages(struct dump *dump, const struct ns *ns, struct image_writer *img, int id,
			 const struct msqid_ds *ds)
{
	size_t size = ds->__msg_cbytes;
	_cleanup_free_ struct message *m = calloc(1, sizeof(*m) + size);
	int err = 0;

	if (!m)
		return fail(-ENOMEM, "messages");
	for (unsigned long n = 0; !err && n < ds->msg_qnum; n++) {
		ssize_t len = msgrcv(id, m, size, (long)n, MSG_COPY | IPC_NOWAIT);

		if (len < 0 && (errno == ENOMSG || errno == EIDRM))
			return dump_is_check(dump) ?
				       0 :
				       fail(-EBUSY, "System V queue %d is in use by a process outside the tree", id);
		if (len < 0)
			return refuse_read(dump, ns, id, n + 1, -errno);
		err = write_message(img, m, (size_t)len);
	}
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int save_queue(struct dump *dump, const struct ns *ns, struct image_writer *img, int id,
		      const struct msqid_ds *ds)
{
	IpcMsgEntry entry = IPC_MSG_ENTRY__INIT;
	IpcDescEntry desc;
	int err;

	ipc_desc_fill(dump, &ds->msg_perm, id, &desc);
	entry.desc = &desc;
	entry.qbytes = (uint32_t)ds->msg_qbytes;
	entry.qnum = (uint32_t)ds->msg_qnum;
	err = image_write_record(img, &entry.base);
	if (err < 0)
		return fail(err, "%s", image_store_error(dump->dir));
	err = save_messages(dump, ns, img, id, ds);
	return err < 0 ? err : 0;
}

int ipc_msg_save(struct dump *dump, const struct ns *ns)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	struct msginfo info;
	struct msqid_ds ds;
	int last = msgctl(0, MSG_INFO, (struct msqid_ds *)&info), err = 0;

	if (last < 0)
		return errno == ENOSYS ? 0 : fail(-errno, "list System V message queues");
	for (int i = 0; !err && i <= last; i++) {
		int id = stat_queue(i, &ds);

		if (id == -EINVAL || id == -EIDRM) /* there is none */
			continue;
		if (id < 0)
			return fail(id, "query a System V message queue");
		err = ipc_image_need(dump, IMAGE_IPCNS_MSG, ns, &img);
		if (err)
			return err;
		err = save_queue(dump, ns, img, id, &ds);
	}
	return err ? err : ipc_image_complete(dump, &img);
}

/* ---- restore ---- */

struct queue {
	const IpcMsgEntry *entry;
	IpcMsg *head; /* the message that is being read */
	const void *data;
	struct message *buffer; /* large enough for all so far */
	size_t size;
};

static int next_message(struct image_reader *img, struct queue *q)
{
	int err;

	image_free_record(q->head);
	q->head = NULL;
	err = image_need_record(img, &ipc_msg__descriptor, &q->head);
	if (err)
		return err;
	if (!q->head->mtype || q->head->mtype > INT64_MAX)
		return image_refuse(img, "invalid message type %lu", q->head->mtype);
	return image_read_raw(img, ROUND_UP((size_t)q->head->msize, PADDING), &q->data);
}

static int create_queue(const void *arg)
{
	const IpcDescEntry *desc = arg;
	int id = msgget((key_t)desc->key, IPC_CREAT | IPC_EXCL | (int)(desc->mode & 0777));

	return id < 0 ? -errno : id;
}

static int remove_queue(int id)
{
	return msgctl(id, IPC_RMID, NULL);
}

static const struct ipc_type queue_type = { "msg_next_id", create_queue, remove_queue };

static int set_queue(const IpcMsgEntry *e, uint64_t qbytes)
{
	struct msqid_ds ds = { .msg_qbytes = qbytes };

	ds.msg_perm.uid = e->desc->uid;
	ds.msg_perm.gid = e->desc->gid;
	ds.msg_perm.mode = (unsigned short)(e->desc->mode & 0777);
	return msgctl((int)e->desc->id, IPC_SET, &ds) < 0 ? fail(-errno, "set System V queue %u", e->desc->id) : 0;
}

static int make_queue(struct restore *r, const IpcMsgEntry *e)
{
	LOG_SCOPE("System V queue %u, key %#x", e->desc->id, e->desc->key);
	int err = ipc_create(&r->rights, e->desc, &queue_type, e->desc);

	return err || !e->qnum ? err : set_queue(e, INT32_MAX);
}

static int send_message(struct queue *q)
{
	size_t len = q->head->msize;

	if (len > q->size || !q->buffer) {
		free(q->buffer);
		q->size = len;
		q->buffer = malloc(sizeof(*q->buffer) + len);
	}
	if (!q->buffer)
		return fail(-ENOMEM, "messages");
	q->buffer->type = (long)q->head->mtype;
	memcpy(q->buffer->data, q->data, len);
	return msgsnd((int)q->entry->desc->id, q->buffer, len, IPC_NOWAIT) < 0 ?
		       fail(-errno, "send a message of %zu bytes to System V queue %u", len, q->entry->desc->id) :
		       0;
}

/* Its messages follow its record. @send: to the queue, which has been created. */
static int read_messages(struct image_reader *img, const IpcMsgEntry *e, bool send)
{
	struct queue q = { .entry = e };
	int err = 0;

	for (uint32_t i = 0; !err && i < e->qnum; i++) {
		err = next_message(img, &q);
		if (err)
			fail(err, "%s", image_error(img));
		else if (send)
			err = send_message(&q);
	}
	image_free_record(q.head);
	free(q.buffer);
	return err;
}

static int check_queue(struct image_reader *img, const struct ns *ns, const IpcMsgEntry *e, struct hash *ids)
{
	return ipc_desc_check("ipcns-msg", ns->id, e->desc, ids) ?: read_messages(img, e, false);
}

static int restore_queue(struct restore *r, struct image_reader *img, const IpcMsgEntry *e)
{
	return make_queue(r, e) ?: read_messages(img, e, true) ?: set_queue(e, e->qbytes);
}

/* @ids: they are only checked; NULL: they are created. */
static int read_queues(struct restore *r, const struct ns *ns, struct hash *ids)
{
	struct image_reader *img;
	int got, err = image_open(r->dir, IMAGE_IPCNS_MSG, ns->id, &img);

	if (err)
		return err == -ENOENT ? 0 : fail(err, "%s", image_store_error(r->dir));
	do {
		_cleanup_record_ IpcMsgEntry *e = NULL;

		got = image_read_record(img, &ipc_msg_entry__descriptor, &e);
		if (got < 0)
			fail(got, "%s", image_error(img));
		else if (got)
			err = ids ? check_queue(img, ns, e, ids) : restore_queue(r, img, e);
	} while (got > 0 && !err);
	image_done(img);
	return got < 0 ? got : err;
}

int ipc_msg_load(struct restore *r, const struct ns *ns)
{
	_cleanup_hash_ struct hash ids = { 0 };

	return read_queues(r, ns, &ids);
}

int ipc_msg_fill(struct restore *r, const struct ns *ns)
{
	return read_queues(r, ns, NULL);
}
