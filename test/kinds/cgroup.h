/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups of a test, below its own one, in hierarchies that are mounted. They are removed by cgroup_remove_all(). */
#ifndef TEST_CGROUP_H
#define TEST_CGROUP_H
#include "checkpoint.h"
#include <stdarg.h>
#include <sys/wait.h>

#define CGROUP_V2 ""

/* The path of the caller in a hierarchy ("": version 2), as it sees it; "" if there is none. */
static inline void cgroup_of(const char *file, const char *name, char ret[512])
{
	char text[8192], *line;

	*ret = 0;
	read_file(file, text, sizeof(text));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *controllers = strchr(line, ':') + 1, *path = strchr(controllers, ':');

		*path++ = 0;
		if (!strcmp(controllers, name))
			snprintf(ret, 512, "%s", path);
	}
}

static inline void cgroup_mine(const char *name, char ret[512])
{
	cgroup_of("/proc/thread-self/cgroup", name, ret);
}

/* Where the hierarchy is mounted, or NULL. */
static inline const char *cgroup_mount(const char *name)
{
	static char found[2][256];
	const char *option = *name ? name : NULL;
	char line[1024], *ret = found[!*name];
	FILE *f = fopen("/proc/self/mounts", "r");

	*ret = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char at[256], type[64], options[512], mark[80];

		if (sscanf(line, "%*s %255s %63s %511s", at, type, options) != 3)
			continue;
		snprintf(mark, sizeof(mark), ",%s", name);
		if (!*ret && (option ? !strcmp(type, "cgroup") && strstr(options, mark) : !strcmp(type, "cgroup2")))
			strcpy(ret, at);
	}
	if (f)
		fclose(f);
	return *ret ? ret : NULL;
}

static char cgroup_tops[2][1024]; /* the test's directory in a version 1 hierarchy, and in version 2 */

/* Creates the test's directory; skips the test if that is not possible. */
static inline const char *cgroup_top(const char *name)
{
	const char *mount = cgroup_mount(name);
	char own[512], *top = cgroup_tops[!*name];

	cgroup_mine(name, own);
	if (!mount || !*own)
		test_skip("a cgroup hierarchy is not mounted");
	/* The tests' directories are unique. */
	snprintf(top, 1024, "%s%s/criu-test-%s", mount, own[1] ? own : "", test_dir() + 1);
	for (char *p = strstr(top, "criu-test-"); *p; p++)
		if (*p == '/')
			*p = '-';
	if (mkdir(top, 0755))
		test_skip("groups cannot be created in a cgroup hierarchy");
	return top;
}

static inline const char *cgroup_path(const char *top, const char *fmt, ...)
{
	static char paths[8][2048];
	static unsigned next;
	char *path = paths[next++ % 8];
	va_list ap;
	int len = snprintf(path, 2048, "%s/", top);

	va_start(ap, fmt);
	vsnprintf(path + len, 2048 - len, fmt, ap);
	va_end(ap);
	return path;
}

static inline void cgroup_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write '%s' to %s", text, path);
	close(fd);
}

/* Moves everything back to where the test was started, and removes a group and those below. */
static inline void cgroup_remove(const char *dir)
{
	char command[4096];

	snprintf(command, sizeof(command),
		 "find '%s' -depth -type d -exec sh -c 'for i in $(seq 1000); do rmdir \"$1\" 2>/dev/null && exit; "
		 "[ -d \"$1\" ] || exit; sleep 0.01; done' sh {} \\;",
		 dir);
	if (system(command))
		check(false, "remove %s", dir);
}
#endif
