/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pid file is there before the tree runs, so that action scripts find it. A tool that is killed in between leaves no
 * tree, and must leave no pid file: a process of its own waits for the tool's end, and takes the file away then.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"

/* Only one with our number in it: another one there is not ours. */
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

/* What the tool holds, the end of its pipes among it, is closed when it ends. */
static void close_all_but(int a, int b)
{
	unsigned int low = MIN_OF(a, b), high = MAX_OF(a, b);

	if (low > 0)
		sys_close_range(0, low - 1, 0);
	if (high > low + 1)
		sys_close_range(low + 1, high - 1, 0);
	sys_close_range(high + 1, ~0u, 0);
}

static __attribute__((noreturn)) void watch(const struct restore *r, int dir, int tool)
{
	char text[16], byte;

	snprintf(text, sizeof(text), "%d", r->tool.root_pid);
	/* Not in the tool's group: what ends that one must not end this one with it. */
	syscall(SYS_setsid);
	while (read(tool, &byte, 1) < 0 && errno == EINTR)
		;
	if (!atomic_load(&r->shared->committed))
		remove_pidfile(dir, r->opts->pidfile, text);
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

int pidfile_watch(struct restore *r, int dir)
{
	_cleanup_close_ int tool = -1, hold = -1;
	int ends[2];

	if (!r->opts->pidfile)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "pipe");
	tool = ends[0];
	hold = ends[1];
	/* All signals are blocked since the root was made. */
	r->tool.pidfile_watcher = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (r->tool.pidfile_watcher < 0) {
		r->tool.pidfile_watcher = 0;
		return fail(-errno, "start a process that watches over the pid file");
	}
	if (!r->tool.pidfile_watcher) {
		close_all_but(dir, tool);
		watch(r, dir, tool);
	}
	r->tool.pidfile_hold = steal_fd(&hold);
	return 0;
}

void pidfile_unwatch(struct restore *r)
{
	if (!r->tool.pidfile_watcher)
		return;
	syscall(SYS_kill, r->tool.pidfile_watcher, SIGKILL);
	while (waitpid(r->tool.pidfile_watcher, NULL, __WALL) < 0 && errno == EINTR)
		;
	r->tool.pidfile_watcher = 0;
	close(steal_fd(&r->tool.pidfile_hold));
}
