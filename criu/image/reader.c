// SPDX-License-Identifier: GPL-2.0-only
#include "image/reader.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/record.h"
#include "image/store_ops.h"
#include "util/fds.h"

/* Up to this size an image is read, larger ones are mapped (and must not be truncated meanwhile). */
enum { READ_WHOLE_MAX = 1 << 20 };

enum storage { BORROWED, ALLOCATED, MAPPED };

struct image_reader {
	char name[IMAGE_NAME_MAX];
	const uint8_t *buf;
	size_t size, at;
	size_t map_skip; /* bytes of a mapping before @buf */
	size_t record_at; /* where the last record started */
	unsigned long records; /* read so far */
	enum storage storage;
	int failed; /* sticky */
	ProtobufCAllocator *allocator; /* of records; NULL: malloc */
	struct image_error error;
};

const char *image_error(const struct image_reader *img)
{
	return img->error.text;
}

void image_use_allocator(struct image_reader *img, ProtobufCAllocator *allocator)
{
	img->allocator = allocator;
}

size_t image_left(const struct image_reader *img)
{
	return img->size - img->at;
}

/* "core-1.img: record 3 at byte 40: ..." */
__attribute__((format(printf, 4, 0))) static int fail_at(struct image_reader *img, int error, unsigned long record,
							 const char *fmt, va_list args)
{
	int used = 0;

	if (record)
		used = snprintf(img->error.text, sizeof(img->error.text), "%s: record %lu at byte %zu: ", img->name,
				record, img->record_at);
	else
		used = snprintf(img->error.text, sizeof(img->error.text), "%s: ", img->name);
	vsnprintf(img->error.text + used, sizeof(img->error.text) - used, fmt, args);
	img->failed = error;
	return error;
}

__attribute__((format(printf, 4, 5))) static int fail(struct image_reader *img, int error, unsigned long record,
						      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error = fail_at(img, error, record, fmt, args);
	va_end(args);
	return error;
}

int image_refuse(struct image_reader *img, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail_at(img, -EBADMSG, img->records, fmt, args);
	va_end(args);
	return -EBADMSG;
}

static uint32_t number_at(const struct image_reader *img, size_t at)
{
	uint32_t number;

	memcpy(&number, img->buf + at, sizeof(number));
	return le32toh(number);
}

static int check_header(struct image_reader *img, const struct image_spec *spec)
{
	size_t magics = spec->framing == IMAGE_FRAMED_RAW ? 0 : spec->framing == IMAGE_FRAMED_OWN ? 1 : 2;
	uint32_t leading = spec->framing == IMAGE_FRAMED_SERVICE ? IMAGE_MAGIC_SERVICE : IMAGE_MAGIC_COMMON;

	if (img->size < magics * 4)
		return fail(img, -EBADMSG, 0, "truncated: %zu bytes are too short for a header", img->size);
	if (magics == 2 && number_at(img, 0) != leading)
		return fail(img, -EBADMSG, 0, "starts with %#x instead of %#x: not an image of version 1.1",
			    number_at(img, 0), leading);
	if (magics && number_at(img, (magics - 1) * 4) != spec->magic)
		return fail(img, -EBADMSG, 0, "has magic %#x, expected %s with %#x", number_at(img, (magics - 1) * 4),
			    spec->type, spec->magic);
	img->at = magics * 4;
	img->record_at = img->at;
	return 0;
}

static int read_whole(struct image_reader *img, const struct image_extent *extent)
{
	_cleanup_free_ uint8_t *buf = malloc(extent->len ? extent->len : 1);
	ssize_t got = buf ? pread_full(extent->fd, buf, extent->len, extent->base) : -ENOMEM;

	if (got < 0)
		return (int)got;
	img->size = got;
	img->buf = steal_ptr(&buf);
	img->storage = ALLOCATED;
	return 0;
}

static int map_whole(struct image_reader *img, const struct image_extent *extent)
{
	size_t skip = extent->base % PAGE_SZ;
	uint8_t *map = mmap(NULL, extent->len + skip, PROT_READ, MAP_PRIVATE, extent->fd, extent->base - skip);

	if (map == MAP_FAILED)
		return -errno;
	img->buf = map + skip;
	img->map_skip = skip;
	img->size = extent->len;
	img->storage = MAPPED;
	return 0;
}

static int load_bytes(struct image_reader *img, const struct image_extent *extent)
{
	if (extent->fd >= 0)
		return extent->len <= READ_WHOLE_MAX ? read_whole(img, extent) : map_whole(img, extent);
	img->buf = extent->bytes;
	img->size = extent->len;
	return 0;
}

static void release_bytes(struct image_reader *img)
{
	if (img->storage == ALLOCATED)
		free((void *)img->buf);
	else if (img->storage == MAPPED)
		munmap((void *)(img->buf - img->map_skip), img->size + img->map_skip);
}

void image_done(struct image_reader *img)
{
	if (!img)
		return;
	release_bytes(img);
	free(img);
}

int image_open(struct image_store *store, enum image_type type, uint64_t id, struct image_reader **ret_img)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	struct image_extent extent;
	int err;

	if (type == IMAGE_PAGES)
		return image_store_fail(store, -EINVAL, "a pages image is read through its pagemap");
	img = calloc(1, sizeof(*img));
	if (!img)
		return image_store_fail(store, -ENOMEM, "out of memory");
	err = image_store_open(store, type, id, &extent);
	if (err)
		return err;
	image_name(type, id, img->name);
	err = load_bytes(img, &extent);
	cleanup_close(&extent.fd);
	if (err)
		return image_store_fail(store, err, "read %s: %s", img->name, strerror(-err));
	err = image_store_verify(store, type, id, img->buf, img->size);
	if (err)
		return err;
	err = check_header(img, image_spec(type));
	if (err)
		return image_store_fail(store, err, "%s", img->error.text);
	*ret_img = steal_ptr(&img);
	return 0;
}

int image_read_record(struct image_reader *img, const ProtobufCMessageDescriptor *type, void *ret_msg)
{
	struct packed_record packed = { .type = type };
	ProtobufCMessage *msg;
	struct image_error why;
	uint32_t size;
	int err;

	if (img->failed)
		return img->failed;
	if (!image_left(img))
		return 0;
	img->record_at = img->at;
	img->records++;
	if (image_left(img) < sizeof(size))
		return image_refuse(img, "the file ends in the middle of its size");
	size = number_at(img, img->at);
	if (size > image_left(img) - sizeof(size))
		return image_refuse(img, "its %u bytes extend past the end of the file at %zu", size, img->size);
	packed.buf = img->buf + img->at + sizeof(size);
	packed.len = size;
	err = record_unpack(&packed, img->allocator, &why, &msg);
	if (err)
		return fail(img, err, img->records, "%s", why.text);
	img->at += sizeof(size) + size;
	memcpy(ret_msg, &msg, sizeof(msg));
	return 1;
}

const uint8_t *image_last_record(const struct image_reader *img, size_t *ret_len)
{
	size_t at = img->record_at + sizeof(uint32_t), len;

	if (at > img->size)
		return NULL;
	len = number_at(img, img->record_at);
	if (len > img->size - at)
		return NULL;
	*ret_len = len;
	return img->buf + at;
}

int image_need_record(struct image_reader *img, const ProtobufCMessageDescriptor *type, void *ret_msg)
{
	int got = image_read_record(img, type, ret_msg);

	if (got < 0)
		return got;
	return got ? 0 : fail(img, -EBADMSG, 0, "ends before %s number %lu", type->name, img->records + 1);
}

int image_read_raw(struct image_reader *img, size_t len, const void **ret_buf)
{
	if (img->failed)
		return img->failed;
	if (len > image_left(img))
		return image_refuse(img, "expected %zu bytes after it, the file has %zu", len, image_left(img));
	*ret_buf = img->buf + img->at;
	img->at += len;
	return 0;
}

int image_expect_end(struct image_reader *img)
{
	if (img->failed)
		return img->failed;
	return image_left(img) ? image_refuse(img, "%zu unexpected bytes after it", image_left(img)) : 0;
}

void image_free_record(void *msg)
{
	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
}

int image_read_single(struct image_store *store, enum image_type type, uint64_t id, void *ret_msg)
{
	return image_read_single_into(store, type, id, NULL, ret_msg);
}

int image_read_single_into(struct image_store *store, enum image_type type, uint64_t id, ProtobufCAllocator *allocator,
			   void *ret_msg)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	ProtobufCMessage *msg = NULL;
	int err;

	err = image_open(store, type, id, &img);
	if (err)
		return err;
	image_use_allocator(img, allocator);
	if (!image_spec(type)->first)
		return image_store_fail(store, -EINVAL, "%s images have no records", image_spec(type)->type);
	err = image_need_record(img, image_spec(type)->first, &msg) ?: image_expect_end(img);
	if (err) {
		if (msg)
			protobuf_c_message_free_unpacked(msg, allocator);
		return image_store_fail(store, err, "%s", image_error(img));
	}
	memcpy(ret_msg, &msg, sizeof(msg));
	return 0;
}
