/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log: one write(2) per line, to a descriptor that survives fork. Sink and level are the process's own; the errors
 * of forked children are kept together with those of their parent, so that whoever ends the run can say why it failed.
 * Nothing here returns anything but what it says: logging never fails a run. Control characters of a text are printed
 * as '?': a file name cannot forge a line.
 */
#pragma once
#include <stdio.h>
#include <sys/types.h>

enum log_level { LOG_SILENT = 0, LOG_ERROR = 1, LOG_WARN = 2, LOG_INFO = 3, LOG_DEBUG = 4 };

/* Start the clock, share the kept errors with children to come. Call first; before it lines go to stderr. 0 or -ENOMEM. */
int log_init(int level);
void log_set_level(int level);
int log_level(void);

/* Lines go to @fd from now on (borrowed: the caller keeps it open, with O_APPEND and O_CLOEXEC). -1: nowhere. */
void log_to_fd(int fd);
int log_fd(void);

/* Print @pid after the time of every line of this process: 0 for none. Children inherit it. */
void log_set_pid(pid_t pid);

/* The first error of this run, in text form without time, or NULL. It stays the log's. */
const char *log_first_error(void);
/* How many errors this run logged, those of its children too. */
unsigned int log_error_count(void);
/* Print the errors that were kept, one a line: the first one and the last ones. */
void log_errors_to(FILE *to);
/* Forget them: the service does it between two requests. */
void log_forget_errors(void);

void log_at(int level, const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int log_fail(const char *file, int line, int err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A warning that whoever runs the program has to see: on stderr, too, where the log is another file. */
void log_notice_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_at(LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __FILE__, __LINE__, __VA_ARGS__)
#define log_notice(...) log_notice_at(__FILE__, __LINE__, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__)

/*
 * return fail(-ENOENT, "open %s", path);  logs "open /x: No such file or directory", returns -ENOENT.
 * @err is a negative errno; a positive one is negated, 0 (a mistake of the caller) becomes -EIO.
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
