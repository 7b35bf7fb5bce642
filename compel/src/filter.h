/* SPDX-License-Identifier: LGPL-2.1-only */
/* Would a thread's own seccomp filters allow a system call? Internal to the library. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct compel_regs;

enum filter_verdict {
	FILTER_NONE, /* the thread has no filters */
	FILTER_PASS,
	FILTER_REFUSE, /* any action other than allow */
	FILTER_UNKNOWN, /* it has filters that we may not read */
};

/*
 * For call @nr with the arguments and the instruction pointer in @regs of the stopped thread @tid. With @again the
 * thread has made this very call before: a supervisor that allowed it then (SECCOMP_RET_USER_NOTIF) is assumed to do so
 * again.
 */
enum filter_verdict filter_query(pid_t tid, const struct compel_regs *regs, long nr, bool again);
