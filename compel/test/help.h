/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the tests: cases, victims, sessions. */
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <compel/compel.h>
#include "probe.h"
#include "probe_blob.h"

/* Prints "ok NAME" or "not ok NAME: why". */
__attribute__((format(printf, 3, 4))) void report(const char *name, bool good, const char *why, ...);
/* 1 if any case failed. */
int test_result(void);

double now(void);
void *shared_page(void);
/* Forks a process that runs @body and is killed when we exit. */
pid_t victim(void (*body)(void *), void *arg);
void end_victim(pid_t pid);
/* Waits until the thread sleeps in the kernel ('S'), is stopped ('T'), ... False after a minute. */
bool wait_state(pid_t tid, char state);
/* Reads all of /proc/PID/NAME. */
size_t proc_text(pid_t pid, const char *name, char *buf, size_t size);
/* Value of a line of /proc/PID/status. */
unsigned long status_value(pid_t pid, const char *key, int base);

/* The state of a stopped thread for continuing in another process. */
int state_for_image(pid_t tid, struct compel_thread_state *ret_state);

/*
 * Stops @pid, runs calls and commands in it, cures and resumes it. 0, or the failed line, with the error in *ret_err.
 */
int session(pid_t pid, int *ret_err);
/* The same with all threads of the process: all are stopped, all run a command. */
int session_threads(pid_t pid, int *ret_err);
/* Stops and opens it; retried while a dead tracer's cure is running. */
int open_target(pid_t pid, struct compel_stop *ret_stop, struct compel_ctl **ret_ctl);

/* killer.c: kills this process at the n-th call that affects a target; 0: never. kill_count is the current number. */
extern int kill_at, kill_count;
extern int fail_at, fail_count, fail_error; /* the ptrace call that fails, with that errno */
