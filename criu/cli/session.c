// SPDX-License-Identifier: GPL-2.0-only
/* What every command that works on images has around it: directories, log, progress line, the reason of a failure. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"
#include "util/str.h"

static int open_directory(const char *what, const char *path)
{
	int fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		return usage_error("the %s directory %s does not exist; make it first: mkdir -p %s", what, path, path);
	if (fd < 0)
		return usage_error("the %s directory %s: %s", what, path, strerror(-fd));
	return fd;
}

static int open_log(struct session *session)
{
	const struct options *opts = session->opts;
	int fd;

	if (str_eq(opts->log_file, "-"))
		fd = dup_fd_above(STDOUT_FILENO, STDERR_FILENO + 1);
	else
		fd = output_open(opts->work_dir_fd, opts->log_file, true);
	if (fd < 0)
		return usage_error("log file %s: %s", opts->log_file, output_error(fd));
	session->log_fd = fd;
	log_to_fd(fd);
	return 0;
}

static void close_directories(struct options *opts)
{
	cleanup_close(&opts->images_dir_fd);
	cleanup_close(&opts->work_dir_fd);
	opts->images_dir_fd = opts->work_dir_fd = -1;
}

int session_begin(struct session *session, struct options *opts, const char *what)
{
	int ret;

	*session = (struct session){ .opts = opts, .what = what, .log_fd = -1 };
	opts->images_dir_fd = open_directory("images", opts->images_dir);
	if (opts->images_dir_fd < 0)
		return opts->images_dir_fd;
	opts->work_dir_fd = open_directory("work", opts->work_dir ? opts->work_dir : opts->images_dir);
	if (opts->work_dir_fd < 0) {
		ret = opts->work_dir_fd;
		goto close_dirs;
	}
	ret = log_init(opts->log_level);
	if (ret < 0) {
		usage_error("the log: %s", strerror(-ret));
		goto close_dirs;
	}
	if (opts->log_file) {
		ret = open_log(session);
		if (ret < 0)
			goto close_dirs;
	}
	opts->progress = progress_begin(what, opts);
	return 0;
close_dirs:
	close_directories(opts);
	return ret;
}

/* The log said it already when it goes to stderr; the exit status alone tells it at level 0. */
static void tell_failure(const struct session *session, int err)
{
	const struct options *opts = session->opts;

	if (opts->log_level == LOG_SILENT)
		return;
	if (session->log_fd >= 0)
		log_errors_to(stderr);
	if (!log_error_count())
		fprintf(stderr, "criu: %s failed: %s\n", session->what, strerror(-err));
	else
		fprintf(stderr, "criu: %s failed\n", session->what);
	if (session->log_fd < 0 || str_eq(opts->log_file, "-"))
		return;
	if (opts->log_file[0] == '/')
		fprintf(stderr, "criu: the log is %s\n", opts->log_file);
	else
		fprintf(stderr, "criu: the log is %s/%s\n", opts->work_dir ? opts->work_dir : opts->images_dir,
			opts->log_file);
}

int session_end(struct session *session, int err)
{
	progress_close(session->opts->progress);
	session->opts->progress = NULL;
	if (err < 0)
		tell_failure(session, err);
	if (session->log_fd >= 0) {
		log_to_fd(STDERR_FILENO);
		cleanup_close(&session->log_fd);
	}
	close_directories(session->opts);
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
