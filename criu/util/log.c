// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "util/log.h"

#define LINE_MAX_LEN 4608 /* a path and the text around it */
#define SCOPE_MAX 256
#define KEPT_LEN 768
#define KEPT_LAST 19 /* 20 with the first one */

/* In shared memory: children write it too. The last byte of a text is never written, so it is always terminated. */
struct kept_errors {
	unsigned int count;
	char first[KEPT_LEN];
	char last[KEPT_LAST][KEPT_LEN];
};

static struct {
	int level;
	int fd;
	pid_t pid;
	struct timespec start;
	struct kept_errors *kept;
	void (*divert)(void *arg, const char *text); /* NULL: no */
	void *divert_arg;
} sink = { .level = LOG_WARN, .fd = STDERR_FILENO };

static _Thread_local struct {
	unsigned int len;
	char text[SCOPE_MAX];
} scope_stack;

/* A line being built: len never exceeds LINE_MAX_LEN - 1, so there is always space for the newline. */
struct line {
	size_t len;
	char text[LINE_MAX_LEN];
};

/* CLOCK_REALTIME: the monotonic time of a task in a time namespace differs from its parent's. */
static void read_clock(struct timespec *ret_ts)
{
	clock_gettime(CLOCK_REALTIME, ret_ts);
}

int log_init(int level)
{
	sink.level = level;
	read_clock(&sink.start);
	if (sink.kept)
		return 0;
	void *m = mmap(NULL, sizeof(struct kept_errors), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	sink.kept = m;
	return 0;
}

int log_separate(void)
{
	if (sink.kept)
		munmap(sink.kept, sizeof(*sink.kept));
	sink.kept = NULL;
	return log_init(sink.level);
}

void log_set_level(int level)
{
	sink.level = level;
}

int log_level(void)
{
	return sink.level;
}

void log_to_fd(int fd)
{
	sink.fd = fd;
}

int log_fd(void)
{
	return sink.fd;
}

void log_divert(void (*fn)(void *arg, const char *text), void *arg)
{
	sink.divert = fn;
	sink.divert_arg = arg;
}

void log_set_pid(pid_t pid)
{
	sink.pid = pid;
}

static void __attribute__((format(printf, 2, 0))) line_vadd(struct line *l, const char *fmt, va_list ap)
{
	size_t room = LINE_MAX_LEN - 1 - l->len;
	int n = vsnprintf(l->text + l->len, room, fmt, ap);

	if (n > 0)
		l->len += MIN_OF((size_t)n, room - 1);
}

static void __attribute__((format(printf, 2, 3))) line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_vadd(l, fmt, ap);
	va_end(ap);
}

static void line_add_time(struct line *l)
{
	struct timespec now;

	read_clock(&now);
	if (!sink.start.tv_sec)
		sink.start = now;
	long long us = (now.tv_sec - sink.start.tv_sec) * 1000000ll + (now.tv_nsec - sink.start.tv_nsec) / 1000;
	if (us < 0)
		us = 0;
	line_add(l, "(%02llu.%06llu) ", us / 1000000ull, us % 1000000ull);
	if (sink.pid)
		line_add(l, "%6d: ", sink.pid);
}

static void clean(struct line *l)
{
	for (size_t i = 0; i < l->len; i++) {
		unsigned char c = l->text[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			l->text[i] = '?';
	}
}

static void line_write(struct line *l)
{
	size_t done = 0;

	clean(l);
	l->text[l->len] = '\n';
	while (sink.fd >= 0 && done < l->len + 1) {
		ssize_t n = write(sink.fd, l->text + done, l->len + 1 - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
}

static void keep_error(const struct line *l, size_t from)
{
	struct kept_errors *k = sink.kept;
	size_t len = MIN_OF(l->len - from, (size_t)KEPT_LEN - 1);

	if (!k)
		return;
	unsigned int nr = __atomic_fetch_add(&k->count, 1, __ATOMIC_RELAXED);
	char *to = nr ? k->last[(nr - 1) % KEPT_LAST] : k->first;
	memcpy(to, l->text + from, len);
	memset(to + len, 0, KEPT_LEN - 1 - len);
}

/* Do not append the reason to a text that already ends with it (image_store_error()). */
static bool ends_with(const struct line *l, size_t from, const char *reason)
{
	size_t len = strlen(reason);

	return l->len - from >= len && !memcmp(l->text + l->len - len, reason, len);
}

struct message {
	int level;
	const char *file;
	int line; /* of @file */
	int err; /* its reason, a negative errno; 0: none */
};

static void divert(struct line *l, size_t from)
{
	clean(l);
	l->text[l->len] = 0;
	sink.divert(sink.divert_arg, l->text + MIN_OF(from, l->len));
}

static void __attribute__((format(printf, 2, 0))) log_line(const struct message *m, const char *fmt, va_list ap)
{
	struct line l = { .len = 0 };

	line_add_time(&l);
	if (m->level == LOG_ERROR)
		line_add(&l, "Error (%s:%d): ", m->file, m->line);
	else if (m->level == LOG_WARN)
		line_add(&l, "Warn  (%s:%d): ", m->file, m->line);
	size_t from = l.len;
	line_add(&l, "%.*s", (int)scope_stack.len, scope_stack.text);
	line_vadd(&l, fmt, ap);
	while (l.len > from && l.text[l.len - 1] == '\n')
		l.len--;
	if (m->err && !ends_with(&l, from, strerror(-m->err)))
		line_add(&l, ": %s", strerror(-m->err));
	if (m->level == LOG_ERROR && sink.divert) {
		divert(&l, from + scope_stack.len);
		return;
	}
	if (m->level == LOG_ERROR)
		keep_error(&l, from);
	if (m->level <= sink.level)
		line_write(&l);
}

void log_at(int level, const char *file, int line, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (level > sink.level && level != LOG_ERROR)
		return;
	va_start(ap, fmt);
	log_line(&(struct message){ level, file, line, 0 }, fmt, ap);
	va_end(ap);
	errno = saved;
}

int log_fail(const char *file, int line, int err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	err = err > 0 ? -err : err < 0 ? err : -EIO;
	va_start(ap, fmt);
	log_line(&(struct message){ LOG_ERROR, file, line, err }, fmt, ap);
	va_end(ap);
	errno = saved;
	return err;
}

static bool logs_to_stderr(void)
{
	struct stat log, err;

	return sink.fd >= 0 && !fstat(sink.fd, &log) && !fstat(STDERR_FILENO, &err) && log.st_dev == err.st_dev &&
	       log.st_ino == err.st_ino;
}

void log_notice_at(const char *file, int line, const char *fmt, ...)
{
	int saved = errno, fd = sink.fd;
	va_list ap;

	if (sink.level < LOG_WARN)
		return;
	va_start(ap, fmt);
	log_line(&(struct message){ LOG_WARN, file, line, 0 }, fmt, ap);
	va_end(ap);
	if (logs_to_stderr()) {
		errno = saved;
		return;
	}
	sink.fd = STDERR_FILENO;
	va_start(ap, fmt);
	log_line(&(struct message){ LOG_WARN, file, line, 0 }, fmt, ap);
	va_end(ap);
	sink.fd = fd;
	errno = saved;
}

const char *log_first_error(void)
{
	return log_error_count() ? sink.kept->first : NULL;
}

unsigned int log_error_count(void)
{
	return sink.kept ? __atomic_load_n(&sink.kept->count, __ATOMIC_RELAXED) : 0;
}

void log_errors_to(FILE *to)
{
	unsigned int count = log_error_count();

	if (!count)
		return;
	fprintf(to, "Error: %s\n", sink.kept->first);
	unsigned int i = count > KEPT_LAST + 1 ? count - KEPT_LAST : 1;
	if (i > 1)
		fprintf(to, "(%u more errors)\n", i - 1);
	for (; i < count; i++)
		fprintf(to, "Error: %s\n", sink.kept->last[(i - 1) % KEPT_LAST]);
	fflush(to);
}

void log_forget_errors(void)
{
	if (sink.kept)
		memset(sink.kept, 0, sizeof(*sink.kept));
}

struct log_scope log_scope_enter(const char *fmt, ...)
{
	struct log_scope was = { scope_stack.len };
	size_t room = SCOPE_MAX - scope_stack.len;
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(scope_stack.text + scope_stack.len, room, fmt, ap);
	va_end(ap);
	/* A scope that does not fit is omitted as a whole: leaving it still restores the old length. */
	if (n >= 0 && (size_t)n + 2 < room) {
		memcpy(scope_stack.text + scope_stack.len + n, ": ", 2);
		scope_stack.len += n + 2;
	}
	errno = saved;
	return was;
}

void log_scope_leave(struct log_scope *scope)
{
	scope_stack.len = scope->mark;
}
