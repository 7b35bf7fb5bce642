// SPDX-License-Identifier: GPL-2.0-only
/* A dump's images, each through a pipe to a streamer (image/streamer.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/stream.h"
#include "image/stream_out.h"
#include "image/streamer.h"
#include "util/fds.h"
#include "util/proc_root.h"

enum { PIPE_SIZE = 1 << 20 };

struct capture {
	struct stream_out out; /* first */
	struct image_out inventory; /* on its way, from send_but_end() on */
};

static struct capture *capture_of(struct stream_out *s)
{
	return container_of(s, struct capture, out);
}

static int failed(struct stream_out *s, const struct image_out *image, int err)
{
	return image_store_fail(&s->store, err, "send %s to the streamer: %s%s", image->name, strerror(-err),
				err == -EPIPE ? " (it has ended)" :
				err == -EINTR ? ": it does not read" :
						"");
}

static int start(struct stream_out *s, struct image_out *image)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return failed(s, image, -errno);
	/* Of our end alone. */
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	/* The inventory: one page, so that there is space for more only when all has been read. */
	fcntl(ends[1], F_SETPIPE_SZ, image->type == IMAGE_INVENTORY ? (int)PAGE_SZ : PIPE_SIZE);
	err = streamer_send_name(s->fd, image->name);
	if (!err)
		err = streamer_send_fd(s->fd, ends[0]);
	cleanup_close(&ends[0]);
	image->fd = ends[1];
	image->own = s;
	return err ? failed(s, image, err) : 0;
}

static int data(struct stream_out *s, struct image_out *image, const void *buf, size_t len)
{
	int err = stream_out_write(s, image->fd, buf, len);

	return err ? failed(s, image, err) : 0;
}

static int end(struct stream_out *s, struct image_out *image)
{
	return 0;
}

/* Closes the pipe: the end of the image. */
static void drop(struct stream_out *s, struct image_out *image)
{
	cleanup_close(&image->fd);
	image->fd = -1;
	image->own = NULL;
}

/* It is the last one: when it has been read, the streamer has everything. */
static int wait_until_read(struct stream_out *s, struct image_out *image)
{
	int err = stream_out_wait(s, image->fd);

	return err ? failed(s, image, err) : 0;
}

/* Its last byte is the end. */
static int send_but_end(struct stream_out *s, const struct image_bytes *inventory)
{
	struct image_out *image = &capture_of(s)->inventory;
	int err;

	if (!inventory)
		return 0;
	image_name(IMAGE_INVENTORY, 0, image->name);
	err = start(s, image);
	if (!err)
		err = data(s, image, inventory->data, inventory->len - 1);
	if (!err)
		err = wait_until_read(s, image);
	if (err)
		return err;
	err = stream_out_end(s, image->fd, inventory->data + inventory->len - 1, 1);
	return err ? failed(s, image, err) : 0;
}

/*
 * Out of the pipe; if it is not there any more, the streamer has it. Back to where it came from, in one system call: if we are killed then,
 * it has not been sent (stream_out_end()).
 */
static bool take_back_end(const struct stream_out *s, const struct image_out *image)
{
	_cleanup_close_ int from = proc_fd_open(image->fd, O_RDONLY | O_NONBLOCK);
	_cleanup_close_ int to = proc_fd_open(s->end_fd, O_WRONLY | O_NONBLOCK);

	return from >= 0 && to >= 0 && splice(from, NULL, to, NULL, 1, SPLICE_F_NONBLOCK) == 1;
}

static int seal(struct stream_out *s, int err)
{
	struct image_out *image = &capture_of(s)->inventory;

	if (err) {
		err = failed(s, image, err);
	} else if (image->own) {
		err = wait_until_read(s, image);
		if (err == -EINTR && !take_back_end(s, image))
			err = 0;
	}
	drop(s, image);
	cleanup_close(&s->fd);
	s->fd = -1;
	return err;
}

/* Without a complete inventory it is not a dump. */
static void cancel(struct stream_out *s)
{
	drop(s, &capture_of(s)->inventory);
	cleanup_close(&s->fd);
	s->fd = -1;
}

static void free_capture(struct stream_out *s)
{
	drop(s, &capture_of(s)->inventory);
	cleanup_close(&s->fd);
	free(capture_of(s));
}

static const struct stream_out_ops capture_ops = {
	.start = start,
	.data = data,
	.end = end,
	.drop = drop,
	.send_but_end = send_but_end,
	.seal = seal,
	.cancel = cancel,
	.free = free_capture,
};

int image_streamer_capture(int dir_fd, struct image_error *ret_error, struct image_store **ret_store)
{
	struct capture *c;
	int sock = streamer_connect(dir_fd, STREAMER_CAPTURE, ret_error);

	if (sock < 0)
		return sock;
	c = calloc(1, sizeof(*c));
	if (!c) {
		cleanup_close(&sock);
		return image_fail(ret_error, -ENOMEM, "out of memory");
	}
	c->inventory = (struct image_out){ .type = IMAGE_INVENTORY, .fd = -1 };
	stream_out_init(&c->out, &capture_ops, sock);
	*ret_store = &c->out.store;
	return 0;
}
