// SPDX-License-Identifier: GPL-2.0-only
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[PATH_MAX];
static int round_nr;
static int break_nr;

static void put(const char *name, const char *text, int flags)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(97);
	close(fd);
}

static void put_whole(const char *name, const char *text)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64], part[64];

	snprintf(part, sizeof(part), "%s.part", name);
	put(part, text, O_TRUNC);
	snprintf(from, sizeof(from), "%s/%s", dir, part);
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	if (rename(from, to))
		_exit(97);
}

static bool is_there(const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

void sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void test_init(int argc, char **argv)
{
	const char *brk = getenv("TEST_BREAK");

	if (argc < 2 || !realpath(argv[1], dir) || chdir(dir)) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		exit(2);
	}
	break_nr = brk ? atoi(brk) : 0;
}

static void event_name(char *buf, size_t size, const char *what, int round)
{
	if (round)
		snprintf(buf, size, "%s.%d", what, round);
	else
		snprintf(buf, size, "%s", what);
}

bool is_go(int round)
{
	char name[32];

	event_name(name, sizeof(name), "go", round);
	return is_there(name);
}

void wait_go(int round)
{
	while (!is_go(round))
		sleep_ms(2);
}

int checkpoint_here(void)
{
	int round = round_nr++, err = errno;
	char name[32], pid[16];

	event_name(name, sizeof(name), "ready", round);
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	put_whole(name, pid);
	wait_go(round);
	errno = err;
	return round ? 0 : break_nr;
}

int test_break(void)
{
	return break_nr;
}

void task_ready(const char *name)
{
	char file[64];

	/* Renamed into place: the process that waits for the file must not find it still open. */
	snprintf(file, sizeof(file), "at.%s", name);
	put_whole(file, "");
}

void checkpoint_task(const char *name, int round)
{
	task_ready(name);
	wait_go(round);
}

void await_task(const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "at.%s", name);
	while (!is_there(file))
		sleep_ms(1);
}

char state_of(pid_t pid)
{
	char path[64], buf[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	end = strrchr(buf, ')');
	return end ? end[2] : 0;
}

void await_state(pid_t pid, char state)
{
	while (state_of(pid) != state)
		sleep_ms(1);
}

void await_syscall(pid_t pid, long nr)
{
	char path[64], buf[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (;;) {
		if (read_file(path, buf, sizeof(buf)) > 0 && buf[0] >= '0' && buf[0] <= '9' && atol(buf) == nr)
			return;
		sleep_ms(1);
	}
}

pid_t fork_task(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (!pid)
		_exit(fn(arg));
	return pid;
}

void join_task(pid_t pid)
{
	int status = -1;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	check(got > 0 && (pid < 0 || got == pid) && WIFEXITED(status) && !WEXITSTATUS(status),
	      "child %d: wait gives %d, status %#x", pid, got, status);
}

void test_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
{
	char text[2048];
	int err = errno, len;
	const char *base = strrchr(file, '/');
	va_list ap;

	if (ok)
		return;
	len = snprintf(text, sizeof(text), "%s:%d: pid %d: %s: ", base ? base + 1 : file, line, getpid(), expr);
	if (len < 0 || len >= (int)sizeof(text) - 300)
		len = sizeof(text) - 300;
	va_start(ap, fmt);
	len += vsnprintf(text + len, 256, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(text) - 40)
		len = sizeof(text) - 40;
	snprintf(text + len, sizeof(text) - len, " (errno %d)\n", err);
	put("failed", text, O_APPEND);
	errno = err;
}

void test_abort(void)
{
	put_whole("done", "bad\n");
	_exit(1);
}

void test_skip(const char *why)
{
	put_whole("skipped", why);
	_exit(77);
}

void test_done(void)
{
	bool bad = is_there("failed");

	put_whole("done", bad ? "bad\n" : "ok\n");
	_exit(bad);
}

const char *test_dir(void)
{
	return dir;
}

char *test_path(const char *name)
{
	static char paths[8][PATH_MAX + 256];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write %s", path);
	close(fd);
}

long read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	buf[0] = 0;
	if (fd < 0)
		return -1;
	while (len < size - 1 && (got = read(fd, buf + len, size - 1 - len)) > 0)
		len += got;
	close(fd);
	buf[len] = 0;
	return (long)len;
}

long status_field(pid_t pid, const char *key, int base)
{
	char path[64], buf[8192], find[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(find, sizeof(find), "\n%s:", key);
	if (read_file(path, buf, sizeof(buf)) <= 0 || !(at = strstr(buf, find)))
		return -1;
	return (long)strtoul(at + strlen(find), NULL, base);
}

static uint32_t next_word(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void fill(void *mem, size_t size, unsigned int seed)
{
	uint32_t state = seed * 2654435761U + 1;
	unsigned char *p = mem;

	for (size_t i = 0; i < size; i++)
		p[i] = (unsigned char)next_word(&state);
}

size_t wrong(const void *mem, size_t size, unsigned int seed)
{
	uint32_t state = seed * 2654435761U + 1;
	const unsigned char *p = mem;

	for (size_t i = 0; i < size; i++)
		if (p[i] != (unsigned char)next_word(&state))
			return i + 1;
	return 0;
}

void *map_anon(size_t size, int flags)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	need(mem != MAP_FAILED, "mmap %zu", size);
	return mem;
}
