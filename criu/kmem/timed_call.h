/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A system call that a stop has interrupted, and that the kernel would continue (restart_syscall(2)): its number and
 * its remaining time. No system call returns them: they are read from kernel memory, struct restart_block.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct timed_call {
	long nr; /* SYS_poll, SYS_nanosleep, SYS_clock_nanosleep, SYS_futex */
	bool limited; /* it has a timeout; remaining: */
	uint64_t left_ns;
};

struct timed_call_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. */
int timed_call_reader_open(struct timed_call_reader **ret);
void timed_call_reader_close(struct timed_call_reader *reader);
/*
 * @thread: a descriptor of the directory in /proc of a thread that is stopped in such a call; @args: its argument
 * registers. -ENODATA: it is none of these, or this kernel stores it in another way.
 */
int timed_call_read(struct timed_call_reader *reader, int thread, const unsigned long args[6], struct timed_call *ret);
