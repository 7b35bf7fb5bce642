// SPDX-License-Identifier: GPL-2.0-only
#include "image/writer.h"

#include <endian.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/store_ops.h"

enum { BUFFER_SIZE = 64 << 10 };

struct image_writer {
	struct image_store *store;
	struct image_out out;
	int error; /* the first one; sticky */
	size_t used;
	uint8_t buffer[BUFFER_SIZE];
};

static int write_out(struct image_writer *img, const uint8_t *buf, size_t len)
{
	img->error = img->store->ops->append(img->store, &img->out, buf, len);
	return img->error;
}

static int flush(struct image_writer *img)
{
	size_t used = img->used;

	img->used = 0;
	return write_out(img, img->buffer, used);
}

/* Makes space for `len` bytes in the buffer; at most its size. */
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

static int write_number(struct image_writer *img, uint32_t number)
{
	number = htole32(number);
	return image_write_raw(img, &number, sizeof(number));
}

static int refuse(struct image_writer *img, int error, const ProtobufCMessage *msg, const char *why)
{
	img->error = error;
	return image_store_fail(img->store, error, "write %s: %s %s", img->out.name, msg->descriptor->name, why);
}

int image_write_record(struct image_writer *img, const ProtobufCMessage *msg)
{
	_cleanup_free_ uint8_t *large = NULL;
	size_t size;
	int err;

	if (img->error)
		return img->error;
	if (!protobuf_c_message_check(msg))
		return refuse(img, -EINVAL, msg, "lacks a required field");
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
		return refuse(img, -ENOMEM, msg, "is too large for the available memory");
	protobuf_c_message_pack(msg, large);
	return image_write_raw(img, large, size);
}

static int write_header(struct image_writer *img, const struct image_spec *spec)
{
	int err = 0;

	if (spec->framing == IMAGE_FRAMED_RAW)
		return 0;
	if (spec->framing != IMAGE_FRAMED_OWN)
		err = write_number(img,
				   spec->framing == IMAGE_FRAMED_SERVICE ? IMAGE_MAGIC_SERVICE : IMAGE_MAGIC_COMMON);
	return err ?: write_number(img, spec->magic);
}

int image_create(struct image_store *store, enum image_type type, uint64_t id, struct image_writer **ret_img)
{
	const struct image_spec *spec = image_spec(type);
	struct image_writer *img;

	if (!spec)
		return image_store_fail(store, -EINVAL, "unknown type of image");
	if (!store->writer_pid)
		return image_store_fail(store, -EINVAL, "%s image created outside a transaction", spec->type);
	img = malloc(sizeof(*img));
	if (!img)
		return image_store_fail(store, -ENOMEM, "out of memory");
	img->store = store;
	img->out = (struct image_out){ .type = type, .id = id, .fd = -1 };
	image_name(type, id, img->out.name);
	img->error = 0;
	img->used = 0;
	store->writers_open++;
	write_header(img, spec); /* cannot fail: it fits in the buffer */
	*ret_img = img;
	return 0;
}

static void free_writer(struct image_writer *img, int error)
{
	img->store->writers_open--;
	if (error && !img->store->writer_error)
		img->store->writer_error = error;
	free(img);
}

int image_close(struct image_writer *img)
{
	const struct image_store_ops *ops = img->store->ops;
	int err = img->error;

	if (err)
		ops->discard(img->store, &img->out);
	else
		err = ops->finish(img->store, &img->out, img->buffer, img->used);
	free_writer(img, err);
	return err;
}

void image_discard(struct image_writer *img)
{
	if (!img)
		return;
	img->store->ops->discard(img->store, &img->out);
	free_writer(img, img->error ? img->error : -ECANCELED);
}

int image_write_single(struct image_store *store, enum image_type type, uint64_t id, const ProtobufCMessage *msg)
{
	struct image_writer *img;
	int err = image_create(store, type, id, &img);

	if (err)
		return err;
	image_write_record(img, msg); /* its error is sticky: image_close() returns it */
	return image_close(img);
}
