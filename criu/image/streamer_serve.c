// SPDX-License-Identifier: GPL-2.0-only
/* A restore's images from a streamer (image/streamer.h): each is fetched when it is first needed. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/image_set.h"
#include "image/stream.h"
#include "image/stream_in.h"
#include "image/streamer.h"
#include "img-streamer.pb-c.h"
#include "util/fds.h"

enum {
	PIPE_SIZE = 1 << 20,
	REPLY_MAX = 64,
	STEP = 256 << 10,
};

static int read_exactly(int sock, void *to, size_t len)
{
	ssize_t got = read_full(sock, to, len);

	return got < 0 ? (int)got : (size_t)got < len ? -ENODATA : 0;
}

/* 1: it exists, 0: it does not. */
static int read_reply(int sock)
{
	ImgStreamerReplyEntry *reply;
	uint8_t message[REPLY_MAX];
	uint32_t len;
	int err = read_exactly(sock, &len, sizeof(len)), exists;

	if (err)
		return err;
	len = le32toh(len);
	if (len > sizeof(message))
		return -EBADMSG;
	err = read_exactly(sock, message, len);
	if (err)
		return err;
	reply = img_streamer_reply_entry__unpack(NULL, len, message);
	if (!reply)
		return -EBADMSG;
	exists = reply->exists;
	img_streamer_reply_entry__free_unpacked(reply, NULL);
	return exists;
}

/* The reading end of a pipe that the streamer fills. */
static int pass_pipe(int sock)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	err = streamer_send_fd(sock, ends[1]);
	cleanup_close(&ends[1]);
	if (!err)
		return ends[0];
	cleanup_close(&ends[0]);
	return err;
}

static int receive(int fd, struct spool *spool, struct image_bytes *image)
{
	_cleanup_free_ uint8_t *step = malloc(STEP);
	ssize_t got = step ? 1 : -ENOMEM;
	int err = 0;

	if (image->type == IMAGE_PAGES)
		spool_begin_pages(spool);
	while (!err && got > 0) {
		got = read_full(fd, step, STEP);
		if (got > 0)
			err = image->type == IMAGE_PAGES ? spool_put_pages(spool, step, (size_t)got) :
							   image_bytes_append(image, step, (size_t)got);
	}
	if (err || got < 0)
		return err ? err : (int)got;
	return image->type == IMAGE_PAGES ? spool_end_pages(spool, image->id) :
					    spool_add(spool, image->type, image->id, image->data, image->len);
}

static int receive_image(int sock, struct spool *spool, enum image_type type, uint64_t id)
{
	_cleanup_close_ int fd = pass_pipe(sock);
	struct image_bytes *image;
	int err;

	if (fd < 0)
		return fd;
	image = image_bytes_new(type, id);
	err = image ? receive(fd, spool, image) : -ENOMEM;
	image_bytes_free(image);
	return err;
}

static int fetch(void *from, struct image_store *store, struct spool *spool, enum image_type type, uint64_t id)
{
	int sock = *(int *)from, err;
	char name[IMAGE_NAME_MAX];

	image_name(type, id, name);
	err = streamer_send_name(sock, name);
	if (!err)
		err = read_reply(sock);
	if (err >= 0)
		err = err ? receive_image(sock, spool, type, id) : spool_add_absent(spool, type, id);
	if (!err)
		return 0;
	return image_store_fail(store, err, "get %s from the streamer: %s", name,
				err == -ENODATA || err == -EPIPE ? "it has ended" :
				err == -EBADMSG			 ? "not the reply of a streamer" :
								   strerror(-err));
}

static int move_fds(void *from, int min)
{
	int fd = move_fd_above(*(int *)from, min);

	if (fd >= 0)
		*(int *)from = fd;
	return fd < 0 ? fd : 0;
}

static void free_from(void *from)
{
	cleanup_close(from);
	free(from);
}

static const struct stream_in_ops serve_ops = { .fetch = fetch, .move_fds = move_fds, .free = free_from };

int image_streamer_serve(int dir_fd, int spool_dir, struct image_error *ret_error, struct image_store **ret_store)
{
	int sock = streamer_connect(dir_fd, STREAMER_SERVE, ret_error), err;
	int *from = sock < 0 ? NULL : malloc(sizeof(*from));
	struct spool *spool = NULL;

	if (sock < 0)
		return sock;
	err = from ? spool_new(spool_dir, &spool) : -ENOMEM;
	if (!err) {
		*from = sock;
		err = stream_in_new(spool, &serve_ops, from, ret_store);
	}
	if (!err)
		return 0;
	spool_free(spool);
	free(from);
	cleanup_close(&sock);
	return image_fail(ret_error, err, "%s", strerror(-err));
}
