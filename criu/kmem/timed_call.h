/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A system call that a stop has interrupted, and that the kernel would continue (restart_syscall(2)): which one it is,
 * and how long it would still wait. No call tells: read out of the kernel's memory, struct restart_block.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct timed_call {
	long nr; /* SYS_poll, SYS_nanosleep, SYS_clock_nanosleep, SYS_futex */
	bool limited; /* by a time, of which this is left: */
	uint64_t left_ns;
};

struct timed_call_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: this kernel, or this user, cannot. */
int timed_call_reader_open(struct timed_call_reader **ret);
void timed_call_reader_close(struct timed_call_reader *reader);
/*
 * @thread: a descriptor of its directory in /proc. It is stopped, and in such a call; @args: what it had in the call's
 * registers. -ENODATA: it is none of these, or the kernel says it otherwise.
 */
int timed_call_read(struct timed_call_reader *reader, int thread, const unsigned long args[6], struct timed_call *ret);
