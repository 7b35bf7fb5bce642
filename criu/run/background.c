// SPDX-License-Identifier: GPL-2.0-only
#include "run/background.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/notify.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"

int background_leave_standard(void)
{
	_cleanup_close_ int null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);

	if (null < 0)
		return fail(null, "open /dev/null");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0) /* style: also for what we execute */
			return fail(-errno, "redirect descriptor %d", fd);
	return 0;
}

static int write_pidfile(const struct options *opts)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", getpid()), err;

	if (!opts->pidfile)
		return 0;
	err = output_write(opts->work_dir_fd, opts->pidfile, text, (size_t)len);
	return err ? fail(err, "write the pid file %s: %s", opts->pidfile, output_error(err)) : 0;
}

int background_ready(const struct options *opts, int ready)
{
	int err = write_pidfile(opts);

	if (!err)
		err = notify_step(opts, "status-ready", 0);
	if (!err && opts->status_fd >= 0) {
		err = write_full(opts->status_fd, "", 1);
		close(opts->status_fd);
		if (err)
			fail(err, "--status-fd %d", opts->status_fd);
	}
	if (!err && ready >= 0)
		err = write_full(ready, "", 1);
	return err;
}

static int leave_terminal(void)
{
	return setsid() < 0 ? fail(-errno, "setsid") : background_leave_standard();
}

/* In the parent: the exit status, when the child is ready, or has failed. */
static int await_ready(pid_t child, int pipe)
{
	char ready;
	int status;

	if (read_full(pipe, &ready, 1) == 1)
		return EXIT_SUCCESS;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* Its own stderr leads nowhere. */
	if (log_level() > LOG_SILENT)
		log_errors_to(stderr);
	return EXIT_FAILURE;
}

int background_enter(int *ret_ready)
{
	_cleanup_close_ int from = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(-errno, "pipe");
	from = fds[0];
	*ret_ready = fds[1];
	pid = fork();
	if (pid < 0)
		return fail(-errno, "fork");
	if (pid) {
		close(fds[1]);
		_exit(await_ready(pid, from));
	}
	return leave_terminal();
}
