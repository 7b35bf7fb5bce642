// SPDX-License-Identifier: GPL-2.0-only
#include "image/writer.h"

#include <endian.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"

enum { BUFFER_SIZE = 64 << 10 };

struct image_writer {
	struct image_store *dir;
	enum image_type type;
	uint64_t id;
	char name[IMAGE_NAME_MAX];
	int fd; /* -1 as long as the directory holds it */
	int error; /* the first one; sticky */
	size_t used;
	uint8_t buffer[BUFFER_SIZE];
};

/* More than can be held. */
static int make_file(struct image_writer *img)
{
	img->error = image_store_create(img->dir, img->type, img->id, &img->fd);
	return img->error;
}

static int write_out(struct image_writer *img, const uint8_t *buf, size_t len)
{
	if (img->fd < 0 && make_file(img))
		return img->error;
	while (len) {
		ssize_t n = write(img->fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			img->error = n < 0 ? -errno : -EIO;
			return image_store_fail(img->dir, img->error, "write %s: %s", img->name, strerror(-img->error));
		}
		buf += n;
		len -= n;
	}
	return 0;
}

static int flush(struct image_writer *img)
{
	size_t used = img->used;

	img->used = 0;
	return write_out(img, img->buffer, used);
}

/* Room for `len` bytes in the buffer, which must be no more than its size. */
static int make_room(struct image_writer *img, size_t len)
{
	return len > BUFFER_SIZE - img->used ? flush(img) : 0;
}

int image_write_raw(struct image_writer *img, const void *buf, size_t len)
{
	int err = img->error ?: make_room(img, MIN_OF(len, (size_t)BUFFER_SIZE));

	if (err)
		return err;
	if (len > BUFFER_SIZE) /* the buffer is empty now */
		return write_out(img, buf, len);
	if (len)
		memcpy(img->buffer + img->used, buf, len);
	img->used += len;
	return 0;
}

int image_write_zeros(struct image_writer *img, size_t len)
{
	static const uint8_t zeros[4096];
	int err = img->error;

	while (!err && len) {
		size_t part = MIN_OF(len, sizeof(zeros));

		err = image_write_raw(img, zeros, part);
		len -= part;
	}
	return err;
}

static int write_number(struct image_writer *img, uint32_t number)
{
	number = htole32(number);
	return image_write_raw(img, &number, sizeof(number));
}

static int refuse(struct image_writer *img, int error, const ProtobufCMessage *msg, const char *why)
{
	img->error = error;
	return image_store_fail(img->dir, error, "write %s: %s %s", img->name, msg->descriptor->name, why);
}

int image_write_record(struct image_writer *img, const ProtobufCMessage *msg)
{
	_cleanup_free_ uint8_t *large = NULL;
	size_t size;
	int err;

	if (img->error)
		return img->error;
	if (!protobuf_c_message_check(msg))
		return refuse(img, -EINVAL, msg, "lacks something that is required");
	size = protobuf_c_message_get_packed_size(msg);
	if (size > INT32_MAX)
		return refuse(img, -EMSGSIZE, msg, "is larger than 2 GiB");
	err = write_number(img, size);
	if (err)
		return err;
	if (size <= BUFFER_SIZE) {
		err = make_room(img, size);
		if (!err)
			img->used += protobuf_c_message_pack(msg, img->buffer + img->used);
		return err;
	}
	large = malloc(size);
	if (!large)
		return refuse(img, -ENOMEM, msg, "does not fit into memory");
	protobuf_c_message_pack(msg, large);
	return image_write_raw(img, large, size);
}

static int write_header(struct image_writer *img, const struct image_spec *spec)
{
	int err = 0;

	if (spec->framing != IMAGE_FRAMED_OWN)
		err = write_number(img,
				   spec->framing == IMAGE_FRAMED_SERVICE ? IMAGE_MAGIC_SERVICE : IMAGE_MAGIC_COMMON);
	return err ?: write_number(img, spec->magic);
}

int image_create(struct image_store *dir, enum image_type type, uint64_t id, struct image_writer **ret_img)
{
	const struct image_spec *spec = image_spec(type);
	_cleanup_close_ int fd = -1;
	struct image_writer *img;
	int err;

	if (!spec || spec->framing == IMAGE_FRAMED_RAW)
		return image_store_fail(dir, -EINVAL, "%s images hold no records", spec ? spec->type : "unknown");
	err = image_store_holds(dir) ? 0 : image_store_create(dir, type, id, &fd);
	if (err)
		return err;
	img = malloc(sizeof(*img));
	if (!img)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	img->dir = dir;
	img->type = type;
	img->id = id;
	img->fd = steal_fd(&fd);
	img->error = 0;
	img->used = 0;
	image_name(type, id, img->name);
	image_store_writer_opened(dir);
	write_header(img, spec); /* cannot fail: it fits the buffer */
	*ret_img = img;
	return 0;
}

int image_close(struct image_writer *img)
{
	bool held = img->fd < 0 && image_store_holds(img->dir);
	int err = img->error;

	if (!err)
		err = held ? image_store_keep(img->dir, img->type, img->id, img->buffer, img->used) : flush(img);
	/* Some file systems report only here what an earlier write could not do. */
	if (img->fd >= 0 && close(img->fd) && !err && errno != EINTR)
		err = image_store_fail(img->dir, -errno, "close %s: %s", img->name, strerror(errno));
	image_store_writer_closed(img->dir, err);
	free(img);
	return err;
}

void image_discard(struct image_writer *img)
{
	if (!img)
		return;
	cleanup_close(&img->fd);
	image_store_writer_closed(img->dir, img->error ?: -ECANCELED);
	free(img);
}

int image_write_single(struct image_store *dir, enum image_type type, uint64_t id, const ProtobufCMessage *msg)
{
	struct image_writer *img;
	int err = image_create(dir, type, id, &img);

	if (err)
		return err;
	image_write_record(img, msg); /* its error is sticky: image_close() gives it */
	return image_close(img);
}
