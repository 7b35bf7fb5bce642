/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log: one write(2) per line, to a descriptor that is inherited by fork. Destination and level are per process; the
 * errors of forked children are kept together with those of their parent, so that the reason of a failure can be
 * printed at the end of the run. Logging never makes a run fail. Control characters are printed as '?': a file name
 * cannot forge a line.
 */
#pragma once
#include <stdio.h>
#include <sys/types.h>

enum log_level { LOG_SILENT = 0, LOG_ERROR = 1, LOG_WARN = 2, LOG_INFO = 3, LOG_DEBUG = 4 };

/*
 * Starts the clock, and allocates the kept errors in memory shared with later children. Call first; until then lines go
 * to stderr. 0 or -ENOMEM.
 */
int log_init(int level);
/* After a fork: errors are kept apart from those of the parent and of its other children. 0 or -ENOMEM. */
int log_separate(void);
void log_set_level(int level);
int log_level(void);

/* Sends lines to @fd from now on (borrowed: the caller keeps it open, with O_APPEND and O_CLOEXEC). -1: nowhere. */
void log_to_fd(int fd);
int log_fd(void);

/* Prints @pid after the time of every line of this process; 0: none. Inherited by children. */
void log_set_pid(pid_t pid);

/* The first error of this run as text without time, or NULL. Owned by the log. */
const char *log_first_error(void);
/* The number of errors in this run, including children. */
unsigned int log_error_count(void);
/* Prints the kept errors, one per line: the first one and the last ones. */
void log_errors_to(FILE *to);
/* Discards the kept errors: for a service, between two requests. */
void log_forget_errors(void);

/*
 * From now on errors go to @fn, as text without time and scopes, and neither to the log nor to the kept errors. NULL: no longer.
 */
void log_divert(void (*fn)(void *arg, const char *text), void *arg);

void log_at(int level, const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int log_fail(const char *file, int line, int err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A warning that the user has to see: also on stderr if the log is another file. */
void log_notice_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_at(LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __FILE__, __LINE__, __VA_ARGS__)
#define log_notice(...) log_notice_at(__FILE__, __LINE__, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__)

/*
 * return fail(-ENOENT, "open %s", path); logs "open /x: No such file or directory", and returns -ENOENT. @err is a
 * negative errno; a positive one is negated, 0 (a bug in the caller) becomes -EIO.
 */
#define fail(err, ...) log_fail(__FILE__, __LINE__, (err), __VA_ARGS__)

/* LOG_SCOPE("pid %d", pid); puts "pid 42: " before every text until the C scope ends. Scopes nest, per thread. */
struct log_scope {
	unsigned int mark;
};
struct log_scope log_scope_enter(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_scope_leave(struct log_scope *scope);

#define LOG_GLUE_(a, b) a##b
#define LOG_GLUE(a, b) LOG_GLUE_(a, b)
#define LOG_SCOPE(...)                                                                                         \
	__attribute__((cleanup(log_scope_leave), unused)) struct log_scope LOG_GLUE(log_scope_, __COUNTER__) = \
		log_scope_enter(__VA_ARGS__)
