// SPDX-License-Identifier: GPL-2.0-only
#include "long_queue.h"
#include <errno.h>
#include <string.h>
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/log.h"

/* Of one dump. */
struct queue_reader {
	struct signals_reader *reader;
	int unreadable; /* why there is none */
};

static void close_reader(void *arg)
{
	struct queue_reader *q = arg;

	if (!q->unreadable)
		signals_reader_close(q->reader);
}

static int open_reader(struct dump *dump, struct queue_reader **ret)
{
	void **data = dump_kind_data(dump, &signals_kind);
	struct queue_reader *q = *data;

	if (!q) {
		q = dump_alloc(dump, sizeof(*q));
		if (!q || arena_defer(&dump->arena, close_reader, q))
			return -ENOMEM;
		q->unreadable = signals_reader_open(&q->reader);
		*data = q;
	}
	*ret = q;
	return q->unreadable;
}

int long_queue_read(struct dump *dump, const struct dump_task *task, pid_t host_tid, bool shared,
		    struct pending_signals *to)
{
	_cleanup_proc_ struct proc thread = PROC_CLOSED;
	struct queue_reader *q;
	int err = open_reader(dump, &q);

	if (!err)
		err = proc_open_thread(&task->proc, host_tid, &thread);
	if (!err)
		err = signals_read(q->reader, thread.dir, shared, to);
	if (!err)
		return 0;
	log_info(
		"thread %d: its long queue of signals cannot be read at once (BPF): %s; they are read one by one, which takes long",
		host_tid, strerror(-err));
	return -EOPNOTSUPP;
}
