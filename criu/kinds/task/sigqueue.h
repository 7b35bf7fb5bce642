/* SPDX-License-Identifier: GPL-2.0-only */
/* Pending signals: shared by signals.c and timers.c. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "siginfo.pb-c.h"

enum { SIGINFO_SIZE = 128, SIGQUEUE_NOT_WAITING = -1 };

struct restore_task;

/* Up to @room siginfos from number @from on; returns their number, or a negative errno. ptrace(2) PTRACE_PEEKSIGINFO */
int sigqueue_peek(pid_t host_tid, bool shared, size_t from, siginfo_t *to, size_t room);

/* Can a timer with this clock be set to a time in the past? */
bool timer_clock_goes_back(int32_t clock);

/*
 * The overruns of a timer whose signal is in the shared queue of the image, and that can be made to fire again for it:
 * then the signal is not queued. SIGQUEUE_NOT_WAITING for all others: their signals are restored as they are.
 */
int sigqueue_overruns(const struct restore_task *task, int timer_id);
