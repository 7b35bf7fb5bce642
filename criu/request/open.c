// SPDX-License-Identifier: GPL-2.0-only
#include "request/open.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/scripts.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"
#include "util/str.h"

/* A descriptor of @path, relative to @base; @given is its name in messages. */
static int open_directory(const struct request *req, const char *what, const char *given, int base, const char *path)
{
	int fd = open_at(base, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		return request_refuse(req, "the %s directory %s does not exist; create it: mkdir -p %s", what, given,
				      given);
	if (fd < 0)
		return request_refuse(req, "the %s directory %s: %s", what, given, strerror(-fd));
	return fd;
}

static int open_directories(struct request *req)
{
	struct options *opts = &req->opts;

	if (opts->images_dir_fd < 0)
		opts->images_dir_fd = open_directory(req, "images", opts->images_dir, AT_FDCWD, opts->images_dir);
	if (opts->images_dir_fd < 0)
		return opts->images_dir_fd;
	if (opts->work_dir_fd >= 0)
		return 0;
	if (opts->work_dir)
		opts->work_dir_fd = open_directory(req, "work", opts->work_dir, AT_FDCWD, opts->work_dir);
	else
		opts->work_dir_fd = open_directory(req, "work", opts->images_dir, opts->images_dir_fd, ".");
	return opts->work_dir_fd < 0 ? opts->work_dir_fd : 0;
}

/*
 * From here on whatever else is printed there, by action scripts, say, goes to stderr, and the stream is nobody else's
 * input.
 */
static int take_stdio(struct request *req)
{
	struct options *opts = &req->opts;
	bool writes = req->command != CMD_RESTORE;
	int own = writes ? STDOUT_FILENO : STDIN_FILENO;
	_cleanup_close_ int other =
		writes ? dup_fd_above(STDERR_FILENO, STDERR_FILENO + 1) : open_at(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	int fd;

	if (other < 0)
		return request_refuse(req, "--stream -: %s: %s", writes ? "stderr" : "/dev/null", strerror(-other));
	fd = dup_fd_above(own, STDERR_FILENO + 1);
	if (fd < 0)
		return request_refuse(req, "--stream -: %s: %s", writes ? "standard output" : "standard input",
				      strerror(-fd));
	opts->stream_fd = fd;
	if (dup3(other, own, 0) < 0) /* for programs that are executed */
		return request_refuse(req, "--stream -: replace the standard %s: %s", writes ? "output" : "input",
				      strerror(errno));
	return 0;
}

static int open_log_file(struct request *req)
{
	const struct options *opts = &req->opts;
	int fd;

	if (str_eq(opts->log_file, "-"))
		fd = dup_fd_above(STDOUT_FILENO, STDERR_FILENO + 1);
	else
		fd = output_open(opts->work_dir_fd, opts->log_file, true);
	if (fd < 0)
		return request_refuse(req, "log file %s: %s", opts->log_file, output_error(fd));
	req->log_fd = fd;
	log_to_fd(fd);
	return 0;
}

static int open_log(struct request *req)
{
	int ret = log_init(req->opts.log_level);

	if (ret < 0)
		return request_refuse(req, "log: %s", strerror(-ret));
	return req->opts.log_file ? open_log_file(req) : 0;
}

static int add_scripts(struct request *req)
{
	if (!req->opts.action_scripts.n)
		return 0;
	if (notify_add(&req->opts, &scripts_outlet) < 0)
		return request_refuse(req, "too many notification outlets to add action scripts");
	return 0;
}

int request_open(struct request *req)
{
	int ret = open_directories(req);

	if (ret == 0)
		ret = open_log(req);
	if (ret == 0 && req->opts.stream == STREAM_BY_STDIO)
		ret = take_stdio(req);
	if (ret == 0)
		ret = add_scripts(req);
	if (ret < 0)
		request_close(req);
	return ret;
}

void request_close(struct request *req)
{
	struct options *opts = &req->opts;

	if (req->log_fd >= 0) {
		log_to_fd(STDERR_FILENO);
		cleanup_close(&req->log_fd);
	}
	cleanup_close(&opts->images_dir_fd);
	cleanup_close(&opts->work_dir_fd);
	cleanup_close(&opts->stream_fd);
	opts->stream_fd = -1;
	req->log_fd = opts->images_dir_fd = opts->work_dir_fd = -1;
}
