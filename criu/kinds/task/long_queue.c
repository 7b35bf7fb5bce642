// SPDX-License-Identifier: GPL-2.0-only
#include "long_queue.h"
#include <errno.h>
#include <string.h>
#include "run/dump.h"
#include "util/log.h"

static void close_reader(void *reader)
{
	signals_reader_close(reader);
}

static int open_reader(struct dump *dump)
{
	if (dump->signals_reader || dump->signals_unreadable)
		return dump->signals_unreadable;
	dump->signals_unreadable = signals_reader_open(&dump->signals_reader);
	if (!dump->signals_unreadable && arena_defer(&dump->arena, close_reader, dump->signals_reader)) {
		dump->signals_reader = NULL;
		dump->signals_unreadable = -ENOMEM;
	}
	return dump->signals_unreadable;
}

int long_queue_read(struct dump *dump, const struct dump_task *task, pid_t host_tid, bool shared,
		    struct pending_signals *to)
{
	_cleanup_proc_ struct proc thread = PROC_CLOSED;
	int err = open_reader(dump);

	if (!err)
		err = proc_open_thread(&task->proc, host_tid, &thread);
	if (!err)
		err = signals_read(dump->signals_reader, thread.dir, shared, to);
	if (!err)
		return 0;
	log_info(
		"thread %d: its long queue of signals cannot be read at once (BPF): %s; they are asked for one by one, which takes long",
		host_tid, strerror(-err));
	return -EOPNOTSUPP;
}
