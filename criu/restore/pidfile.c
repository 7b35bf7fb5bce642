/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pid file exists before the tree runs, so that action scripts find it. A tool that is killed in between leaves no
 * tree, and must leave no pid file: a separate process waits for the tool's exit, and removes the file then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "restore/restore.h"
#include "run/helper_process.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"

/* Only if it contains our pid: a different file is not ours. */
static void remove_pidfile(int dir, const char *name, const char *text)
{
	char found[32] = "";
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return;
	if (read(fd, found, sizeof(found) - 1) > 0 && !strcmp(found, text))
		output_remove(dir, name);
	close(fd);
}

struct watch {
	const struct restore *r;
	int dir, tool;
};

/* Everything that the tool has open, including the other end of this pipe, is closed when it exits. */
static int watch_tool(void *arg)
{
	const struct watch *w = arg;
	const struct restore *r = w->r;
	char text[16], byte;

	snprintf(text, sizeof(text), "%d", r->tool.root_pid);
	while (read(w->tool, &byte, 1) < 0 && errno == EINTR)
		;
	if (!atomic_load(&r->shared->birth->committed))
		remove_pidfile(w->dir, r->opts->pidfile, text);
	return 0;
}

int pidfile_watch(struct restore *r, int dir)
{
	_cleanup_close_ int tool = -1, hold = -1;
	int ends[2], err;

	if (!r->opts->pidfile)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "pipe");
	tool = ends[0];
	hold = ends[1];
	struct watch watch = { r, dir, tool };
	int keeps[] = { dir, tool };
	const struct helper_job job = { .run = watch_tool, .arg = &watch, .keeps = keeps, .nr_keeps = 2 };
	err = helper_start(&r->tool.pidfile_watcher, &job);
	if (err)
		return fail(err, "start a process that watches over the pid file");
	r->tool.pidfile_hold = steal_fd(&hold);
	return 0;
}

void pidfile_unwatch(struct restore *r)
{
	if (!r->tool.pidfile_watcher.pid)
		return;
	helper_kill(&r->tool.pidfile_watcher);
	close(steal_fd(&r->tool.pidfile_hold));
}
