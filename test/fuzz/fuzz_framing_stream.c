// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream of images (image/stream_frame.h), also with previous ones, whose checksums are right. Each frame of the input is its kind, the number of its
 * image (0: the next one, or the last one), and a byte, of which 0 stands for what a dump would send: the length of an image, the
 * number of images, the id of a run. What is accepted can be read; what is refused has a text; no descriptor is left.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/error.h"
#include "image/stream.h"
#include "image/stream_frame.h"
#include "image/store_ops.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "inventory.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGES_MAX = 256 };

static const char *const names[] = {
	"pagemap-5.img",
	"pages-1.img",
	"inventory.img",
	"pages-2.img",
	"core-5.img",
	"pstree.img",
	"pagemap-shmem-3.img",
	"pages-1.img",
	"core-5.img.x",
	"../core-5.img",
	"",
	"ids-18446744073709551615.img",
};

/* Of every dump here. */
#define RUN "01234567-89ab-cdef-0123-456789abcdef"

struct output {
	int fd;
	uint32_t sum, images;
	uint64_t len[IMAGES_MAX];
};

static void put(const struct output *out, const void *bytes, size_t len)
{
	if (write_full(out->fd, bytes, len))
		abort();
}

static void put_head(struct output *out)
{
	struct stream_head head = { .magic = STREAM_MAGIC, .version = htole32(STREAM_VERSION) };

	out->sum = crc32c(0, &head, offsetof(struct stream_head, sum));
	head.sum = htole32(out->sum);
	out->images = 0;
	memset(out->len, 0, sizeof(out->len));
	put(out, &head, sizeof(head));
}

static void put_frame(struct output *out, uint32_t kind, uint32_t image, const void *bytes, size_t len)
{
	struct stream_frame frame = { htole32(kind), htole32(image), htole32((uint32_t)len), 0 };

	out->sum = crc32c(out->sum, &frame, offsetof(struct stream_frame, sum));
	out->sum = crc32c(out->sum, bytes, len);
	frame.sum = htole32(out->sum);
	put(out, &frame, sizeof(frame));
	put(out, bytes, len);
}

/* An inventory as a dump writes it, which is what a reference is compared with. */
static void put_inventory(struct output *out, uint32_t image)
{
	const uint32_t magic[] = { htole32(0x58313116) };
	InventoryEntry entry = INVENTORY_ENTRY__INIT;
	uint8_t bytes[128];
	uint32_t len;

	entry.dump_criu_run_id = (char *)RUN;
	len = htole32((uint32_t)inventory_entry__pack(&entry, bytes + sizeof(magic) + sizeof(len)));
	memcpy(bytes, magic, sizeof(magic));
	memcpy(bytes + sizeof(magic), &len, sizeof(len));
	len = (uint32_t)sizeof(magic) + (uint32_t)sizeof(len) + le32toh(len);
	out->len[image % IMAGES_MAX] += len;
	put_frame(out, FRAME_DATA, image, bytes, len);
}

/* Three bytes of the input. */
static void add_frame(struct output *out, const uint8_t *from)
{
	uint32_t kind = from[0] % 8, image = from[1];
	uint64_t value = from[2];
	char fill[4096];

	if (!image)
		image = out->images + (kind == FRAME_IMAGE);
	switch (kind) {
	case FRAME_IMAGE:
		out->images++;
		put_frame(out, kind, image, names[value % ARRAY_SIZE(names)], strlen(names[value % ARRAY_SIZE(names)]));
		return;
	case FRAME_DATA:
		if (value == 255) {
			put_inventory(out, image);
			return;
		}
		value = value < 128 ? (value + 1) * 32 : value;
		memset(fill, from[2], sizeof(fill));
		out->len[image % IMAGES_MAX] += value;
		put_frame(out, kind, image, fill, value);
		return;
	case FRAME_IMAGE_END:
		value = htole64(value ?: out->len[image % IMAGES_MAX]);
		break;
	case FRAME_END:
		value = htole64(value ?: out->images);
		break;
	case FRAME_REFER:
		put_frame(out, kind, image, RUN, value ? value % sizeof(RUN) : sizeof(RUN) - 1);
		return;
	case FRAME_END_PREVIOUS:
		value = htole64(value ?: out->images);
		put_frame(out, kind, image, &value, sizeof(value));
		put_head(out);
		return;
	case FRAME_CANCEL:
		put_frame(out, kind, image, NULL, 0);
		put_head(out);
		return;
	default:
		value = htole64(value);
	}
	put_frame(out, kind, image, &value, from[0] & 128 ? 7 : 8);
}

/* Every byte of every image. */
static void look(struct image_store *store)
{
	struct image_store *parent;
	enum image_type type;
	uint64_t id;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct image_extent extent;
		char bytes[4096];

		if (image_parse_name(names[i], &type, &id) || image_store_open(store, type, id, &extent))
			continue;
		for (uint64_t at = 0; at < extent.len; at += sizeof(bytes)) {
			size_t len = MIN_OF(extent.len - at, sizeof(bytes));

			if (extent.fd < 0)
				memcpy(bytes, extent.bytes + at, len);
			else if (pread_full(extent.fd, bytes, len, (off_t)(extent.base + at)) != (ssize_t)len)
				abort();
		}
		cleanup_close(&extent.fd);
	}
	if (!image_store_parent(store, &parent))
		look(parent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct output out = { .fd = memfd_create("stream", MFD_CLOEXEC) };
	struct image_error error = { 0 };
	struct image_store *store;
	int before = dup(0), after;

	if (out.fd < 0 || before < 0)
		abort();
	close(before);
	put_head(&out);
	for (size_t at = 0; at + 3 <= size && at < 3000; at += 3)
		add_frame(&out, data + at);
	if (lseek(out.fd, 0, SEEK_SET))
		abort();
	if (!image_stream_read(out.fd, -1, &error, &store)) {
		look(store);
		image_store_close(store);
	} else if (!error.text[0]) {
		abort();
	}
	after = dup(0);
	close(after);
	close(out.fd);
	if (after != before)
		abort();
	return 0;
}
