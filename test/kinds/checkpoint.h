/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The framework of all kind tests: set up some state, checkpoint_here(), verify the state, test_done().
 *
 * The first comment of a test contains its settings for test/run:
 *	test: options=--link-remap restore-options=... variants=running,restored,thrice refused=REGEX
 *	      ignore=REGEX breaks=N skip=CONDITION (of sh, with $CRIU) timeout=S decode=yes net=own (a network with loopback only)
 boots=others (restored as in an earlier boot, a later one, and this one, in turn)
 *	      flavours=host,pid,nested,ipc,net,container (where the tree lives, one run of all variants in each: test/runner/flavours.py; empty: only those of user-root)
 */
#ifndef TEST_CHECKPOINT_H
#define TEST_CHECKPOINT_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Call this first; argv[1] is the test's own, empty working directory. Changes into it. */
void test_init(int argc, char **argv);

/*
 * Reports that the state is set up and waits until the runner lets it continue. Has no descriptor open, keeps all
 * signal settings; handlers of the test may run meanwhile. Returns 0, or the number of the fault that the self-check
 * wants the test to introduce now (1..N, `breaks=N`): each must make the test fail.
 */
int checkpoint_here(void);
/* The same number for tasks other than the root. */
int test_break(void);

/* For tasks other than the root: be counted by await_task(), then wait for the end of checkpoint `round`. */
void checkpoint_task(const char *name, int round);
/* As checkpoint_task, without being counted; e.g. if another function notifies the root. */
void wait_go(int round);
bool is_go(int round);
void task_ready(const char *name);
void await_task(const char *name);

/* Wait until the task (or thread) has this state letter / is blocked in this system call. */
void await_state(pid_t pid, char state);
void await_syscall(pid_t pid, long nr);
char state_of(pid_t pid);

/* A child that runs fn(arg) and exits with its value; its failed checks fail the whole test. */
pid_t fork_task(int (*fn)(void *), void *arg);
/* The child must exit with 0. */
void join_task(pid_t pid);

void test_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* check(cond, "fd %d", fd): a failure is recorded, the test continues */
#define check(cond, ...) test_check((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
/* need(cond, ...): as check, but the test (or task) ends here if the condition is false */
#define need(cond, ...)                                                            \
	do {                                                                       \
		if (!(cond)) {                                                     \
			test_check(false, __FILE__, __LINE__, #cond, __VA_ARGS__); \
			test_abort();                                              \
		}                                                                  \
	} while (0)
void test_abort(void) __attribute__((noreturn));

/* Skips the test on a machine without what it needs. Only before the checkpoint. */
void test_skip(const char *why) __attribute__((noreturn));
/* Writes DIR/done and exits: with 0 if no check failed anywhere. */
void test_done(void) __attribute__((noreturn));

/* Helpers for many tests. */
const char *test_dir(void);
char *test_path(const char *name); /* DIR/name, in one of eight static buffers */
void write_file(const char *path, const char *text);
long read_file(const char *path, char *buf, size_t size); /* length or -1; always terminated */
long status_field(pid_t pid, const char *key, int base); /* number after "Key:" in /proc/PID/status, or -1 */
void sleep_ms(long ms);
double now_s(void); /* CLOCK_MONOTONIC */
void fill(void *mem, size_t size, unsigned int seed); /* reproducible bytes */
size_t wrong(const void *mem, size_t size, unsigned int seed); /* 0, or 1 + offset of the first wrong byte */
void *map_anon(size_t size, int flags); /* MAP_PRIVATE or MAP_SHARED, read-write, never fails */

#endif
