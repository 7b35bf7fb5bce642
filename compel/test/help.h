/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share: cases, victims, sessions. */
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

/* Print "ok NAME" or "not ok NAME: why". */
__attribute__((format(printf, 3, 4))) void report(const char *name, bool good, const char *why, ...);
/* 1 if any case failed. */
int test_result(void);

double now(void);
void *shared_page(void);
/* Fork a process that runs @body and dies with us. */
pid_t victim(void (*body)(void *), void *arg);
void end_victim(pid_t pid);
/* Wait until the thread sleeps in the kernel ('S'), is stopped ('T'), ... False after a minute. */
bool wait_state(pid_t tid, char state);
/* Whole text of /proc/PID/NAME. */
size_t proc_text(pid_t pid, const char *name, char *buf, size_t size);
/* Value of a line of /proc/PID/status. */
unsigned long status_value(pid_t pid, const char *key, int base);

/* What a stopped thread would go on with in another process. */
int state_for_image(pid_t tid, struct compel_thread_state *ret_state);

/* Stop @pid, run system calls and commands in it, cure it, let it go. 0 or the line where it failed, errno in *ret_err. */
int session(pid_t pid, int *ret_err);
/* The same for a process whose other threads take part: all are stopped, all run a command. */
int session_threads(pid_t pid, int *ret_err);
/* Stop and open, and again while a dead tracer's cure is at work. */
int open_target(pid_t pid, struct compel_stop *ret_stop, struct compel_ctl **ret_ctl);

/* killer.c: end this process at the n-th call that touches a target; 0 for never. Counts up in kill_count. */
extern int kill_at, kill_count;
extern int fail_at, fail_count, fail_error; /* the ptrace call that fails, by which errno */
