// SPDX-License-Identifier: GPL-2.0-only
/* Files that /proc has of a process: they come back with it, by the same path. Those of others may be another's by then. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include "kinds/fd/regular/internal.h"
#include "util/str.h"

static bool is_thread_of(const struct dump_task *task, pid_t tid)
{
	for (size_t i = 1; i < task->nr_threads; i++)
		if (task->threads[i].id.host_tid == tid)
			return true;
	return false;
}

void proc_file_look(struct dump *dump, const struct subject *s, const char *path)
{
	const struct dump_task *of;
	struct statfs fs;
	char *rest;
	pid_t pid, tid;

	if (!str_has_prefix(path, "/proc/") || !isdigit((unsigned char)path[6]) || fstatfs(s->local, &fs) < 0 ||
	    fs.f_type != PROC_SUPER_MAGIC)
		return;
	pid = (pid_t)strtol(path + 6, &rest, 10);
	of = dump_find_task(dump, pid);
	tid = str_has_prefix(rest, "/task/") ? (pid_t)strtol(rest + 6, NULL, 10) : 0;
	if (!of)
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to process %d, which is outside of the tree: by the time of the restore it may "
			"be another's; close it, or dump a tree that has that process",
			path, pid);
	else if (tid && tid != pid && is_thread_of(of, tid))
		dump_blocker(
			dump, s->task, s->fd,
			"%s belongs to a thread, and threads come back after files: close it, or open it when it is "
			"needed",
			path);
}
