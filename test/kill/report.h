/* SPDX-License-Identifier: GPL-2.0-only */
/* How the programs of test/kill report to the script that watches them: files in a directory, replaced atomically. */
#ifndef TEST_KILL_REPORT_H
#define TEST_KILL_REPORT_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *dir;

/* Each thread first writes to a file of its own: readers see the old text or the new one. */
__attribute__((format(printf, 2, 3))) static void put(const char *name, const char *fmt, ...)
{
	char path[4096], to[4096], text[512];
	va_list ap;
	int fd, len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s.%ld", dir, name, syscall(SYS_gettid));
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) || rename(path, to))
		abort();
}

#endif
