/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/stream.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "image/stream.h"
#include "run/notify.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static int open_to_write(const struct options *opts, struct image_error *why, struct image_store **ret_store)
{
	/* A dump that starts again continues the stream. */
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err;

	if (opts->stream == STREAM_BY_SOCKET)
		return image_streamer_capture(opts->images_dir_fd, why, ret_store);
	/* Of a pipe a description of its own, which does not wait; others have that of the standard output, too. */
	if (!fstat(opts->stream_fd, &st) && S_ISFIFO(st.st_mode))
		fd = proc_fd_open(opts->stream_fd, O_WRONLY | O_NONBLOCK);
	if (fd < 0)
		fd = dup_fd_above(opts->stream_fd, 3);
	if (fd < 0)
		return image_fail(why, fd, "the standard output");
	err = image_stream_write(fd, ret_store);
	if (err)
		return image_fail(why, err, "out of memory");
	steal_fd(&fd);
	return 0;
}

int stream_open_for_dump(const struct options *opts, int stop_fd, struct image_store **ret_store)
{
	struct image_error why = { 0 };
	int err = notify_step(opts, "pre-stream", opts->pid);

	if (err)
		return err;
	err = open_to_write(opts, &why, ret_store);
	if (err)
		log_error("%s", why.text);
	else
		image_stream_set_stop(*ret_store, stop_fd);
	return err;
}

int stream_open_for_restore(const struct options *opts, struct image_store **ret_store)
{
	struct image_error why = { 0 };
	int err = notify_step(opts, "pre-stream", 0);

	if (err)
		return err;
	if (opts->stream == STREAM_BY_SOCKET)
		err = image_streamer_serve(opts->images_dir_fd, opts->work_dir_fd, &why, ret_store);
	else
		err = image_stream_read(opts->stream_fd, opts->work_dir_fd, &why, ret_store);
	if (err)
		log_error("%s", why.text);
	return err;
}
