// SPDX-License-Identifier: GPL-2.0-only
/* Receives all images of a stream (image/stream_frame.h) before any of them is used. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/image_set.h"
#include "image/reader.h"
#include "image/stream.h"
#include "image/stream_frame.h"
#include "image/stream_in.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "inventory.pb-c.h"

enum { PREVIOUS_MAX = 256 }; /* each has two descriptors */

/* An image on its way. */
struct arriving {
	struct arriving *next;
	uint32_t number;
	uint64_t len;
	struct image_bytes *bytes; /* for pages only its type and id */
};

struct receiver {
	int fd;
	struct spool *spool;
	struct image_error *error;
	uint64_t at; /* bytes read */
	uint32_t sum, images;
	struct arriving *open;
	bool pages_open, inventory;
	bool cancelled, ended, complete; /* these images; the dump */
	int dir_fd; /* of spools */
	struct image_store *previous; /* images that came before; NULL: none */
	bool refers; /* the present ones refer to those */
	size_t generations; /* of previous images */
	uint8_t *buffer; /* FRAME_MAX */
};

static int refuse(struct receiver *in, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int refuse(struct receiver *in, int err, const char *fmt, ...)
{
	va_list args;
	int used = snprintf(in->error->text, sizeof(in->error->text),
			    "the stream, near byte %lu: ", (unsigned long)in->at);

	va_start(args, fmt);
	vsnprintf(in->error->text + used, sizeof(in->error->text) - used, fmt, args);
	va_end(args);
	return err;
}

/* 1, or 0 at the end of the stream if it may end here. */
static int receive(struct receiver *in, void *to, size_t len, bool may_end)
{
	ssize_t got = read_full(in->fd, to, len);

	if (got < 0)
		return refuse(in, (int)got, "%s", strerror((int)-got));
	in->at += (uint64_t)got;
	if (!got && len && may_end)
		return 0;
	if ((size_t)got < len)
		return refuse(in, -ENODATA,
			      "it ends before it is complete: the dump failed, or the connection was cut");
	return 1;
}

static void forget_open(struct receiver *in)
{
	while (in->open) {
		struct arriving *next = in->open->next;

		image_bytes_free(in->open->bytes);
		free(in->open);
		in->open = next;
	}
	in->pages_open = false;
}

static struct arriving **find(struct receiver *in, uint32_t number)
{
	struct arriving **at = &in->open;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static int begin_image(struct receiver *in, uint32_t number, uint32_t len)
{
	struct arriving *image;
	enum image_type type;
	char name[IMAGE_NAME_MAX];
	uint64_t id;

	snprintf(name, sizeof(name), "%.*s", (int)MIN_OF(len, IMAGE_NAME_MAX - 1u), (const char *)in->buffer);
	if (len >= IMAGE_NAME_MAX || strlen(name) != len || image_parse_name(name, &type, &id))
		return refuse(in, -EBADMSG, "%s is not the name of an image", name);
	if (number != in->images + 1)
		return refuse(in, -EBADMSG, "%s has the number %u, expected %u", name, number, in->images + 1);
	if (in->inventory)
		return refuse(in, -EBADMSG, "%s comes after the inventory", name);
	if (type == IMAGE_PAGES && in->pages_open)
		return refuse(in, -EBADMSG, "%s begins inside another pages image", name);
	image = calloc(1, sizeof(*image));
	if (image)
		image->bytes = image_bytes_new(type, id);
	if (!image || !image->bytes) {
		free(image);
		return refuse(in, -ENOMEM, "out of memory");
	}
	image->number = ++in->images;
	image->next = in->open;
	in->open = image;
	in->inventory = type == IMAGE_INVENTORY;
	if (type == IMAGE_PAGES) {
		in->pages_open = true;
		spool_begin_pages(in->spool);
	}
	return 0;
}

static int take_data(struct receiver *in, struct arriving *image, uint32_t len)
{
	int err = image->bytes->type == IMAGE_PAGES ? spool_put_pages(in->spool, in->buffer, len) :
						      image_bytes_append(image->bytes, in->buffer, len);

	image->len += len;
	return err ? refuse(in, err, "keep an image: %s", strerror(-err)) : 0;
}

static int end_image(struct receiver *in, struct arriving **at)
{
	struct arriving *image = *at;
	struct image_bytes *bytes = image->bytes;
	uint64_t len;
	int err;

	memcpy(&len, in->buffer, sizeof(len));
	if (le64toh(len) != image->len)
		return refuse(in, -EBADMSG, "image %u has %lu bytes, expected %lu", image->number, image->len,
			      le64toh(len));
	if (bytes->type == IMAGE_PAGES) {
		err = spool_end_pages(in->spool, bytes->id);
		in->pages_open = false;
	} else {
		err = spool_add(in->spool, bytes->type, bytes->id, bytes->data, bytes->len);
	}
	if (err)
		return refuse(in, err, "image %u: %s", image->number, strerror(-err));
	*at = image->next;
	image_bytes_free(bytes);
	free(image);
	return 0;
}

/* Checked at once: a dump whose pages cannot be used gets a broken pipe, while its tree can still go on. */
static int refer(struct receiver *in, uint32_t len)
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err;

	if (in->images || in->refers)
		return refuse(in, -EBADMSG, "a reference to previous images that does not come first");
	if (!in->previous)
		return refuse(in, -ENOENT,
			      "it refers to previous images, which must be sent in the same stream, before it");
	err = image_read_single(in->previous, IMAGE_INVENTORY, 0, &entry);
	if (err)
		return refuse(in, err, "previous images: %s", image_store_error(in->previous));
	if (!entry->dump_criu_run_id || strlen(entry->dump_criu_run_id) != len ||
	    memcmp(entry->dump_criu_run_id, in->buffer, len))
		return refuse(in, -EBADMSG, "it refers to other previous images than those that were sent before it");
	in->refers = true;
	return 0;
}

/* What has been received becomes a store, with the images that it refers to. */
static int make_store(struct receiver *in, struct image_store **ret_store)
{
	int err = stream_in_new(in->spool, NULL, NULL, ret_store);

	if (err)
		return refuse(in, err, "%s", strerror(-err));
	in->spool = NULL;
	if (in->refers)
		stream_in_set_parent(*ret_store, steal_ptr(&in->previous));
	image_store_close(steal_ptr(&in->previous));
	return 0;
}

static int end_previous(struct receiver *in)
{
	struct image_store *store;
	int err;

	if (!in->inventory)
		return refuse(in, -EBADMSG, "previous images without an inventory");
	in->generations = in->refers ? in->generations + 1 : 0;
	if (in->generations > PREVIOUS_MAX)
		return refuse(in, -ELOOP, "more than %d previous images refer to each other", PREVIOUS_MAX);
	err = make_store(in, &store);
	if (err)
		return err;
	in->previous = store;
	err = spool_new(in->dir_fd, &in->spool);
	return err ? refuse(in, err, "%s", strerror(-err)) : 0;
}

static int end_stream(struct receiver *in, bool previous)
{
	uint64_t images;

	memcpy(&images, in->buffer, sizeof(images));
	if (le64toh(images) != in->images || in->open)
		return refuse(in, -EBADMSG, "it ends with %u images, expected %lu, all complete", in->images,
			      le64toh(images));
	in->ended = true;
	in->complete = !previous;
	return previous ? end_previous(in) : 0;
}

static void cancel(struct receiver *in)
{
	forget_open(in);
	spool_clear(in->spool);
	in->cancelled = true;
}

static int of_image(struct receiver *in, const struct stream_frame *frame)
{
	struct arriving **image = find(in, frame->image);

	if (!*image)
		return refuse(in, -EBADMSG, "image %u is not open", frame->image);
	if (frame->kind == FRAME_DATA)
		return take_data(in, *image, frame->len);
	return frame->len == 8 ? end_image(in, image) : refuse(in, -EBADMSG, "a frame of %u bytes", frame->len);
}

static int take_frame(struct receiver *in, const struct stream_frame *frame)
{
	switch (frame->kind) {
	case FRAME_IMAGE:
		return begin_image(in, frame->image, frame->len);
	case FRAME_DATA:
	case FRAME_IMAGE_END:
		return of_image(in, frame);
	case FRAME_REFER:
		return refer(in, frame->len);
	case FRAME_END:
	case FRAME_END_PREVIOUS:
		return frame->len == 8 ? end_stream(in, frame->kind == FRAME_END_PREVIOUS) :
					 refuse(in, -EBADMSG, "a frame of %u bytes", frame->len);
	case FRAME_CANCEL:
		cancel(in);
		return 0;
	}
	return refuse(in, -EBADMSG, "unknown frame %u", frame->kind);
}

static int next_frame(struct receiver *in)
{
	struct stream_frame raw, frame;
	int got = receive(in, &raw, sizeof(raw), false);

	if (got < 0)
		return got;
	frame = (struct stream_frame){ le32toh(raw.kind), le32toh(raw.image), le32toh(raw.len), le32toh(raw.sum) };
	if (frame.len > FRAME_MAX)
		return refuse(in, -EBADMSG, "a frame of %u bytes: it is damaged", frame.len);
	got = receive(in, in->buffer, frame.len, false);
	if (got < 0)
		return got;
	in->sum = crc32c(in->sum, &raw, offsetof(struct stream_frame, sum));
	in->sum = crc32c(in->sum, in->buffer, frame.len);
	if (in->sum != frame.sum)
		return refuse(in, -EBADMSG, "wrong checksum: it is damaged");
	return take_frame(in, &frame);
}

/* 1; 0 if there is none. */
static int read_head(struct receiver *in)
{
	struct stream_head head;
	int got = receive(in, &head, sizeof(head), true);

	if (got <= 0)
		return got;
	in->sum = crc32c(0, &head, offsetof(struct stream_head, sum));
	if (memcmp(head.magic, STREAM_MAGIC, sizeof(head.magic)))
		return refuse(in, -EBADMSG, "not a stream of images (criu dump --stream -)");
	if (le32toh(head.version) != STREAM_VERSION)
		return refuse(in, -EOPNOTSUPP, "version %u, supported is %u", le32toh(head.version), STREAM_VERSION);
	if (le32toh(head.sum) != in->sum)
		return refuse(in, -EBADMSG, "wrong checksum: it is damaged");
	in->images = 0;
	in->cancelled = in->inventory = in->refers = in->ended = false;
	return 1;
}

/* The dump has ended its tree when it closes the stream: until then the same pids are in use, if it is on this host. */
static int await_close(struct receiver *in)
{
	int got = receive(in, in->buffer, 1, true);

	return got > 0 ? refuse(in, -EBADMSG, "there are bytes after its end") : got;
}

static int receive_all(struct receiver *in)
{
	while (!in->complete) {
		int got = read_head(in);

		if (!got)
			return refuse(
				in, -ENODATA,
				in->cancelled ? "the dump has failed: its own messages say why" :
				in->previous  ? "it has only previous images: a dump that refers to them is missing" :
						"it is empty: the dump has failed");
		if (got < 0)
			return got;
		for (got = 0; !got && !in->ended && !in->cancelled;)
			got = next_frame(in);
		if (got)
			return got;
	}
	return await_close(in);
}

int image_stream_read(int fd, int dir_fd, struct image_error *ret_error, struct image_store **ret_store)
{
	struct receiver in = { .fd = fd, .dir_fd = dir_fd, .error = ret_error, .buffer = malloc(FRAME_MAX) };
	int err = in.buffer ? spool_new(dir_fd, &in.spool) : -ENOMEM;

	err = err ? refuse(&in, err, "%s", strerror(-err)) : receive_all(&in);
	forget_open(&in);
	free(in.buffer);
	if (!err)
		err = make_store(&in, ret_store);
	spool_free(in.spool);
	image_store_close(in.previous);
	return err;
}
