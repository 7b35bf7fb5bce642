// SPDX-License-Identifier: GPL-2.0-only
/* Images as one stream of bytes: image/stream_frame.h. */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/stream.h"
#include "image/stream_frame.h"
#include "image/stream_out.h"
#include "util/crc32c.h"
#include "util/fds.h"

/* Smaller frames are written by one call. */
enum { COPIED_MAX = 64 << 10 };

struct stream_write {
	struct stream_out out; /* first */
	pthread_mutex_t lock; /* frames are written as a whole */
	bool begun, previous;
	char refers_to[37]; /* "": no images */
	int error; /* the first one: what follows would be of no use */
	uint32_t sum, images;
	char buffer[sizeof(struct stream_frame) + COPIED_MAX];
};

/* The number and the length of an image on its way, in image_out.own. */
struct sent_image {
	uint32_t number;
	uint64_t len;
};

static struct stream_write *write_of(struct stream_out *out)
{
	return container_of(out, struct stream_write, out);
}

static int write_failed(struct stream_write *w, int err)
{
	if (!err)
		return 0;
	w->error = err;
	return image_store_fail(&w->out.store, err, "write the stream: %s%s", strerror(-err),
				err == -EPIPE ? " (its reader has ended)" :
				err == -EINTR ? ": its reader does not read" :
						"");
}

static int write_bytes(struct stream_write *w, const void *buf, size_t len)
{
	return write_failed(w, w->error ? w->error : stream_out_write(&w->out, w->out.fd, buf, len));
}

static struct stream_frame frame_of(struct stream_write *w, enum frame_kind kind, uint32_t image, const void *buf,
				    size_t len)
{
	struct stream_frame frame = { htole32(kind), htole32(image), htole32((uint32_t)len), 0 };

	w->sum = crc32c(w->sum, &frame, offsetof(struct stream_frame, sum));
	w->sum = crc32c(w->sum, buf, len);
	frame.sum = htole32(w->sum);
	return frame;
}

static int write_frame(struct stream_write *w, enum frame_kind kind, uint32_t image, const void *buf, size_t len)
{
	struct stream_frame frame = frame_of(w, kind, image, buf, len);
	int err;

	if (len > COPIED_MAX) {
		err = write_bytes(w, &frame, sizeof(frame));
		return err ? err : write_bytes(w, buf, len);
	}
	memcpy(w->buffer, &frame, sizeof(frame));
	if (len)
		memcpy(w->buffer + sizeof(frame), buf, len);
	return write_bytes(w, w->buffer, sizeof(frame) + len);
}

static int begin_stream(struct stream_write *w)
{
	struct stream_head head = { .magic = STREAM_MAGIC, .version = htole32(STREAM_VERSION) };
	int err;

	if (w->begun)
		return 0;
	w->begun = true;
	w->images = 0;
	w->sum = crc32c(0, &head, offsetof(struct stream_head, sum));
	head.sum = htole32(w->sum);
	err = write_bytes(w, &head, sizeof(head));
	if (err || !w->refers_to[0])
		return err;
	return write_frame(w, FRAME_REFER, 0, w->refers_to, strlen(w->refers_to));
}

static int start(struct stream_out *out, struct image_out *image)
{
	struct stream_write *w = write_of(out);
	struct sent_image *sent = calloc(1, sizeof(*sent));
	int err;

	if (!sent)
		return image_store_fail(&out->store, -ENOMEM, "out of memory");
	pthread_mutex_lock(&w->lock);
	err = begin_stream(w);
	sent->number = ++w->images;
	if (!err)
		err = write_frame(w, FRAME_IMAGE, sent->number, image->name, strlen(image->name));
	pthread_mutex_unlock(&w->lock);
	image->own = sent;
	return err;
}

static int data(struct stream_out *out, struct image_out *image, const void *buf, size_t len)
{
	struct stream_write *w = write_of(out);
	struct sent_image *sent = image->own;
	const char *bytes = buf;
	int err = 0;

	pthread_mutex_lock(&w->lock);
	sent->len += len;
	while (!err && len) {
		size_t part = MIN_OF(len, (size_t)FRAME_MAX);

		err = write_frame(w, FRAME_DATA, sent->number, bytes, part);
		bytes += part;
		len -= part;
	}
	pthread_mutex_unlock(&w->lock);
	return err;
}

static int end(struct stream_out *out, struct image_out *image)
{
	struct stream_write *w = write_of(out);
	const struct sent_image *sent = image->own;
	uint64_t len = htole64(sent->len);
	int err;

	pthread_mutex_lock(&w->lock);
	err = write_frame(w, FRAME_IMAGE_END, sent->number, &len, sizeof(len));
	pthread_mutex_unlock(&w->lock);
	return err;
}

static void drop(struct stream_out *out, struct image_out *image)
{
	free(steal_ptr(&image->own));
}

static int send_inventory(struct stream_out *out, const struct image_bytes *inventory)
{
	struct image_out image = { .type = IMAGE_INVENTORY, .fd = -1 };
	int err;

	image_name(IMAGE_INVENTORY, 0, image.name);
	err = start(out, &image);
	if (!err)
		err = data(out, &image, inventory->data, inventory->len);
	if (!err)
		err = end(out, &image);
	drop(out, &image);
	return err;
}

static int send_but_end(struct stream_out *out, const struct image_bytes *inventory)
{
	struct stream_write *w = write_of(out);
	int err = inventory ? send_inventory(out, inventory) : begin_stream(w);
	struct {
		struct stream_frame frame;
		uint64_t images;
	} __attribute__((packed)) end = { .images = htole64(w->images) };

	uint32_t sum = w->sum;

	if (err)
		return err;
	end.frame = frame_of(w, w->previous ? FRAME_END_PREVIOUS : FRAME_END, 0, &end.images, sizeof(end.images));
	/* If it is not sent, cancel() comes instead. */
	w->sum = sum;
	return write_failed(w, stream_out_end(out, out->fd, &end, sizeof(end)));
}

static int seal(struct stream_out *out, int err)
{
	return write_failed(write_of(out), err);
}

/* If it fails the reader finds no end, either. */
static void cancel(struct stream_out *out)
{
	struct stream_write *w = write_of(out);

	if (w->begun && !w->error)
		write_frame(w, FRAME_CANCEL, 0, NULL, 0);
	w->begun = false;
}

static void free_write(struct stream_out *out)
{
	pthread_mutex_destroy(&write_of(out)->lock);
	cleanup_close(&out->fd);
	free(write_of(out));
}

static const struct stream_out_ops write_ops = {
	.start = start,
	.data = data,
	.end = end,
	.drop = drop,
	.send_but_end = send_but_end,
	.seal = seal,
	.cancel = cancel,
	.free = free_write,
};

int image_stream_write(int fd, struct image_store **ret_store)
{
	struct stream_write *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	stream_out_init(&w->out, &write_ops, fd);
	pthread_mutex_init(&w->lock, NULL);
	*ret_store = &w->out.store;
	return 0;
}

static struct stream_write *write_of_store(struct image_store *store)
{
	return write_of(container_of(store, struct stream_out, store));
}

void image_stream_set_previous(struct image_store *store)
{
	write_of_store(store)->previous = true;
}

void image_stream_refer(struct image_store *store, const char *run_id)
{
	struct stream_write *w = write_of_store(store);

	w->out.refers = true;
	snprintf(w->refers_to, sizeof(w->refers_to), "%s", run_id);
}
