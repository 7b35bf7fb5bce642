/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pending signals, from kernel memory: PTRACE_PEEKSIGINFO walks the list from its head for every signal, which takes
 * quadratic time for a long queue.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include "util/array.h"

ARRAY_OF(pending_signals, siginfo_t);

struct signals_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. Takes some ms: call it once per run. */
int signals_reader_open(struct signals_reader **ret);
void signals_reader_close(struct signals_reader *reader);
/*
 * Appends the queue of a thread, or the shared one of its process, to @to in the format of PTRACE_PEEKSIGINFO. @dir: a
 * descriptor of its directory in /proc. -EAGAIN: the queue has changed meanwhile.
 */
int signals_read(struct signals_reader *reader, int dir, bool shared, struct pending_signals *to);
