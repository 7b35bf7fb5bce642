// SPDX-License-Identifier: GPL-2.0-only
/*
 * A POSIX message queue and its messages. A dump reads them from kernel memory (kmem/mqueue.h): if they were received and sent
 * again, waiting senders would continue, and a notification would be used up.
 */
#include <errno.h>
#include <limits.h>
#include <mqueue.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "internal.h"
#include "kmem/mqueue.h"
#include "run/dump.h"
#include "util/log.h"

#define TRIES 10

/* ---- dump ---- */

struct saving {
	struct dump *dump;
	struct mqueue_properties *queue;
};

static int take(void *arg, uint32_t priority, const void *bytes, size_t len)
{
	struct saving *s = arg;
	MqueueMessage *m = dump_alloc(s->dump, sizeof(*m));

	if (!m)
		return -ENOMEM;
	mqueue_message__init(m);
	m->priority = priority;
	m->data.data = dump_alloc(s->dump, len + 1);
	m->data.len = len;
	if (!m->data.data)
		return -ENOMEM;
	memcpy(m->data.data, bytes, len);
	s->queue->messages[s->queue->nr_messages++] = m;
	return 0;
}

/* Every message that is sent or received changes it. */
static int changed_at(int fd, struct timespec *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_ctim;
	return 0;
}

/* -EAGAIN: it has changed meanwhile. */
static int read_messages(struct dump *dump, const struct mqueue_reader *reader, int fd, struct mqueue_properties *queue)
{
	struct saving saving = { dump, queue };
	struct timespec before, after;
	struct mq_attr attr;
	int err = changed_at(fd, &before);

	if (!err && syscall(SYS_mq_getsetattr, fd, NULL, &attr) < 0)
		err = -errno;
	if (err)
		return err;
	queue->nr_messages = 0;
	queue->messages = dump_alloc(dump, ((size_t)attr.mq_curmsgs + 1) * sizeof(*queue->messages));
	if (!queue->messages)
		return -ENOMEM;
	err = mqueue_messages_read(reader, fd, (size_t)attr.mq_curmsgs, (size_t)attr.mq_msgsize,
				   &(struct mqueue_taker){ take, &saving });
	if (!err)
		err = changed_at(fd, &after);
	return err ? err : memcmp(&before, &after, sizeof(before)) ? -EAGAIN : 0;
}

int mqueue_save_messages(struct dump *dump, int fd, struct mqueue_properties *queue)
{
	struct mqueue_dump *data = NULL;
	int err = mqueue_dump_reader(dump, &data);

	if (err || dump_is_check(dump))
		return err;
	err = -EAGAIN;
	for (int tries = 0; err == -EAGAIN && tries < TRIES; tries++)
		err = read_messages(dump, data->reader, fd, queue);
	if (err == -EAGAIN || err == -EFAULT)
		return fail(-EBUSY, "message queue /%s is in use by a process outside the tree", queue->name);
	return err ? fail(err, "read the messages of queue /%s", queue->name) : 0;
}

/* ---- restore ---- */

int mqueue_check_properties(const struct mqueue_properties *q)
{
	if (!q->name[0] || !strcmp(q->name, ".") || !strcmp(q->name, "..") || strchr(q->name, '/') ||
	    strlen(q->name) > NAME_MAX)
		return -EBADMSG;
	if (q->maxmsg - 1 >= INT32_MAX || q->msgsize - 1 >= INT32_MAX || q->mode & ~07777u ||
	    q->nr_messages > q->maxmsg)
		return -EBADMSG;
	for (size_t i = 0; i < q->nr_messages; i++)
		if (q->messages[i]->priority >= MQ_PRIO_MAX || q->messages[i]->data.len > q->msgsize)
			return -EBADMSG;
	return 0;
}

static int send_all(int fd, const struct mqueue_properties *q)
{
	for (size_t i = 0; i < q->nr_messages; i++) {
		const MqueueMessage *m = q->messages[i];

		if (syscall(SYS_mq_timedsend, fd, m->data.data, m->data.len, m->priority, NULL) < 0)
			return fail(-errno, "send message %zu to queue /%s", i + 1, q->name);
	}
	return 0;
}

int mqueue_make(const struct restore *r, const struct ns *ns, const struct mqueue_properties *q)
{
	_cleanup_close_ int fd = mqueue_create_charged(r, ns, q);
	int err = fd < 0 ? fd : 0;

	if (err == -EEXIST)
		return err;
	if (err)
		return fail(
			err,
			"create message queue /%s for %lu messages of %lu bytes (fs.mqueue.msg_max, fs.mqueue.msgsize_max and ulimit -q are the limits)",
			q->name, q->maxmsg, q->msgsize);
	err = send_all(fd, q);
	if (!err && (fchown(fd, q->uid, q->gid) < 0 || fchmod(fd, q->mode) < 0))
		err = fail(-errno, "set the owner of message queue /%s to %u:%u", q->name, q->uid, q->gid);
	if (err)
		syscall(SYS_mq_unlink, q->name);
	return err;
}
