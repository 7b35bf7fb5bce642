/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers of the calling thread in all pid namespaces from that of the root of the tree on. */
#ifndef THREAD_NUMBERS_H
#define THREAD_NUMBERS_H

#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NUMBERS_SIZE 256

static int numbers_proc = -1;
/* The /proc of a flavour may show more than the root sees itself. */
static int numbers_outer;

static char *status_from(char text[4096], const char *key)
{
	int fd = openat(numbers_proc, "thread-self/status", O_RDONLY), len = (int)read(fd, text, 4095);

	close(fd);
	need(len > 0, "status");
	text[len] = '\0';
	need(strstr(text, key), "%s", key);
	return strstr(text, key) + strlen(key);
}

/* By the root, which has one number in its own namespace. */
static void numbers_init(void)
{
	char text[4096];

	numbers_proc = open("/proc", O_PATH | O_DIRECTORY);
	need(numbers_proc >= 0, "/proc");
	numbers_outer = -1;
	for (const char *at = status_from(text, "NSpid:"); *at != '\n'; at++)
		numbers_outer += *at == '\t';
}

static void read_numbers(char to[NUMBERS_SIZE])
{
	static const char *const keys[] = { "NStgid:", "NSpid:" };
	int used = snprintf(to, NUMBERS_SIZE, "%d", (int)syscall(SYS_gettid));

	for (int k = 0; k < 2; k++) {
		char text[4096], *at = status_from(text, keys[k]);

		for (int i = 0; i < numbers_outer; i++)
			at = strchr(at + 1, '\t');
		used += snprintf(to + used, (size_t)(NUMBERS_SIZE - used), " of%.*s", (int)strcspn(at, "\n"), at);
	}
}

/* A user namespace, and others, where only the own ids are mapped. */
static void enter_user_ns(int flags)
{
	const unsigned uid = getuid(), gid = getgid();
	char text[64];

	if (unshare(CLONE_NEWUSER | flags))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	write_file("/proc/self/gid_map", text);
}

#endif
