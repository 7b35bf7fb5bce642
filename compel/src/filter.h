/* SPDX-License-Identifier: LGPL-2.1-only */
/* Would a thread's own seccomp filters let a system call pass? Inside the library only. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct compel_regs;

enum filter_says {
	FILTER_NONE, /* the thread has no filters */
	FILTER_PASS,
	FILTER_REFUSE, /* anything but to let it pass */
	FILTER_UNKNOWN, /* it has some, and we may not read them */
};

/*
 * Of call @nr with the arguments and from the place that @regs (of the stopped thread @tid) say. With @again the thread
 * has made this very call before: a supervisor that let it pass then (SECCOMP_RET_USER_NOTIF) is counted on.
 */
enum filter_says filter_ask(pid_t tid, const struct compel_regs *regs, long nr, bool again);
