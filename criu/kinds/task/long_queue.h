/* SPDX-License-Identifier: GPL-2.0-only */
/* Long queues of pending signals. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "kmem/signals.h"

struct dump;
struct dump_task;

/*
 * The whole queue of thread @host_tid, or of its process, appended to @to. -EOPNOTSUPP: use PTRACE_PEEKSIGINFO instead;
 * the log has the reason.
 */
int long_queue_read(struct dump *dump, const struct dump_task *task, pid_t host_tid, bool shared,
		    struct pending_signals *to);
