/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reading /proc of a target, access to its memory, waiting for it. Internal to the library. */
#pragma once
#include <compel/compel.h>

struct target_map {
	uint64_t start, end;
	bool exec, shared, file;
	bool vdso;
};

/* All fields but the CPU. */
int target_status(pid_t tid, struct compel_status *ret);
/* The signals that a thread with @mask would receive as soon as it runs, without ignored ones. */
uint64_t target_deliverable(const struct compel_status *s, uint64_t mask);
/* A signal that the thread ignores and does not block, so that sending it has no effect. 0: none. */
int target_quiet_signal(const struct compel_status *s, uint64_t mask);
/* Process state letter of /proc/TID/stat, or negative errno. */
int target_state(pid_t tid);
/* The same, and the CPU time that it has used, in clock ticks. */
int target_state_and_time(pid_t tid, uint64_t *ret_time);
int target_tgid(pid_t tid);
int target_tracer(pid_t tid);
/* CPU it ran on last, or negative errno. */
int target_cpu(pid_t tid);
/* All mappings of the address space, sorted; *ret is malloc'ed. */
int target_maps(pid_t tid, struct target_map **ret, size_t *ret_nr);
int target_mem_open(pid_t tid);
/* Reads or writes all of @len, also where the target itself may not; -EFAULT if a part is not mapped. */
int target_read(int mem, uint64_t address, void *data, size_t len);
int target_write(int mem, pid_t tid, uint64_t address, const void *data, size_t len);

/* ---- wait.c ---- */

/* Milliseconds of CLOCK_MONOTONIC */
uint64_t target_now_ms(void);
/*
 * waitpid(2) for a tracee that is in our code, or has been told to stop; whatever signals the caller gets. -ETIMEDOUT:
 * it never will, see wait.c.
 */
int target_wait(pid_t tid, int *ret_status);
/* The same until the time @until. */
int target_wait_until(pid_t tid, uint64_t until, int *ret_status);
/*
 * The next stop of a thread that runs our code, with all signals blocked: at a system call, 0; for a signal, its number.
 * -EAGAIN: it is to be resumed with the signal in *ret_pass; -ESRCH: it has exited.
 */
int target_next_stop(pid_t tid, int *ret_pass);

/* ---- target.c ---- */

int target_sigmask(pid_t tid, uint64_t *ret_mask);
int target_set_sigmask(pid_t tid, uint64_t mask);
/* Fills the rseq fields of @snapshot (which has the registers). */
int target_rseq(pid_t tid, struct compel_snapshot *snapshot);

/* Pins this thread to @cpu until target_unpin: a wake-up across CPUs costs five times as much. */
struct cpu_pin {
	bool set;
	int cpu; /* @set: there */
	unsigned long old[1024 / (8 * sizeof(long))];
	size_t len;
};
void target_pin(int cpu, struct cpu_pin *pin);
void target_unpin(struct cpu_pin *pin);
