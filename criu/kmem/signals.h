/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pending signals, out of the kernel's memory: PTRACE_PEEKSIGINFO walks the list from its head for every signal, so that
 * the time for a long queue grows with its square.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include "util/array.h"

ARRAY_OF(pending_signals, siginfo_t);

struct signals_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not on this kernel, or not by this user. It takes some ms: once in a run. */
int signals_reader_open(struct signals_reader **ret);
void signals_reader_close(struct signals_reader *reader);
/*
 * The queue of the thread whose directory in /proc @dir is a descriptor of, or that of its process, appended to @to as
 * PTRACE_PEEKSIGINFO tells it. -EAGAIN: it has changed meanwhile.
 */
int signals_read(struct signals_reader *reader, int dir, bool shared, struct pending_signals *to);
