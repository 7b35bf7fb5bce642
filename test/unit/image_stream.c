// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that are sent and received (image/stream_frame.h): what arrives is what was written; every stream that is cut or
 * has a flipped bit is refused; a failed attempt is forgotten.
 */
#include "image_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/stream.h"
#include "inventory.pb-c.h"
#include "pstree.pb-c.h"
#include "util/crc32c.h"
#include "util/fds.h"

#define LARGE (3ul << 20)

static struct image_store *writer_to(int fd)
{
	struct image_store *store;

	if (image_stream_write(dup_fd_above(fd, 3), &store) || image_store_begin(store))
		abort();
	return store;
}

static int write_map(struct image_store *store, uint64_t id, char mark)
{
	struct pagemap_writer *map;
	struct image_writer *pages;
	char page[PAGE_SZ];
	int err = pagemap_create_sequential(store, IMAGE_PAGEMAP, id, &map, &pages);

	memset(page, mark, sizeof(page));
	return err						  ? err :
	       pagemap_add(map, 10 * PAGE_SZ, 1, PAGEMAP_PRESENT) ?:
	       image_write_raw(pages, page, sizeof(page))	  ?:
	       image_close(pages)				  ?:
								    pagemap_close(map);
}

static int write_dump(struct image_store *store, uint32_t n)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	PstreeEntry entry = PSTREE_ENTRY__INIT;

	inventory.img_version = entry.pid = n;
	/* The inventory need not be written last to be sent last. */
	return image_write_single(store, IMAGE_INVENTORY, 0, &inventory.base)  ?:
		       write_map(store, 5, (char)('a' + n))		       ?:
		       image_write_single(store, IMAGE_PSTREE, 0, &entry.base) ?:
										 write_map(store, 6, (char)('A' + n));
}

static int receive(int fd, struct image_error *error, struct image_store **ret_store)
{
	lseek(fd, 0, SEEK_SET);
	return image_stream_read(fd, -1, error, ret_store);
}

static const char *is_generation(struct image_store *store, uint32_t n)
{
	_cleanup_record_ InventoryEntry *inventory = NULL;
	_cleanup_record_ PstreeEntry *tree = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct image_extent extent;
	char last;

	EXPECT(image_store_is_dump(store));
	EXPECT(!image_read_single(store, IMAGE_INVENTORY, 0, &inventory) && inventory->img_version == n);
	EXPECT(!image_read_single(store, IMAGE_PSTREE, 0, &tree) && tree->pid == n);
	EXPECT(!pagemap_load(store, IMAGE_PAGEMAP, 6, &map) && map->nr_runs == 1 && map->runs->nr_pages == 1);
	EXPECT(pread(pagemap_source(map, map->runs), &last, 1, (off_t)(map->runs->offset + PAGE_SZ - 1)) == 1);
	EXPECT(last == (char)('A' + n));
	EXPECT(image_store_open(store, IMAGE_MM, 5, &extent) == -ENOENT && image_store_begin(store) == -EROFS);
	return NULL;
}

static const char *arrives(void)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_store *store = writer_to(fd);
	struct image_error error;
	struct image_extent extent;
	const char *why;

	EXPECT(image_store_create(store, IMAGE_PAGES, 1, &extent) == -EOPNOTSUPP);
	EXPECT(!write_dump(store, 1) && !image_store_publish(store) && !image_store_commit(store));
	image_store_close(store);
	/* Not sealed: it is no dump, whatever happens then. */
	EXPECT(receive(fd, &error, &store) == -ENODATA);
	EXPECT(!ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
	store = writer_to(fd);
	EXPECT(!write_dump(store, 2) && !image_store_commit(store) && !image_store_seal(store));
	EXPECT(image_store_begin(store) == -EROFS);
	image_store_close(store);
	if (receive(fd, &error, &store))
		return because("%s", error.text);
	why = is_generation(store, 2);
	image_store_close(store);
	return why;
}

/* An attempt that was aborted after something had been sent, and then another one. */
static const char *second_attempt(void)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_store *store = writer_to(fd);
	struct image_error error;
	const char *why;

	EXPECT(!write_dump(store, 1) && !image_store_publish(store));
	image_store_abort(store);
	image_store_close(store);
	EXPECT(receive(fd, &error, &store) == -ENODATA && strstr(error.text, "the dump has failed"));
	EXPECT(lseek(fd, 0, SEEK_END) > 0);
	store = writer_to(fd);
	EXPECT(!write_dump(store, 2) && !image_store_commit(store) && !image_store_seal(store));
	image_store_close(store);
	if (receive(fd, &error, &store))
		return because("%s", error.text);
	why = is_generation(store, 2);
	image_store_close(store);
	return why;
}

/* Two that grow at the same time, with pages between them, more than one frame each. */
static const char *large_images(void)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	_cleanup_image_reader_ struct image_reader *reader = NULL;
	struct image_store *store = writer_to(fd);
	_cleanup_free_ uint8_t *payload = malloc(LARGE);
	struct image_writer *one, *two;
	struct image_error error;
	const void *raw;

	for (size_t i = 0; i < LARGE; i++)
		payload[i] = (uint8_t)(i * 7 >> 3);
	EXPECT(!image_create(store, IMAGE_FILES, 0, &one) && !image_create(store, IMAGE_FDINFO, 9, &two));
	EXPECT(!image_write_raw(one, payload, LARGE) && !image_write_raw(two, payload, LARGE / 2));
	EXPECT(!write_dump(store, 3) && !image_write_raw(one, payload, LARGE));
	EXPECT(!image_close(two) && !image_close(one) && !image_store_commit(store) && !image_store_seal(store));
	image_store_close(store);
	if (receive(fd, &error, &store))
		return because("%s", error.text);
	EXPECT(!image_open(store, IMAGE_FILES, 0, &reader) && image_left(reader) == 2 * LARGE);
	EXPECT(!image_read_raw(reader, LARGE, &raw) && !memcmp(raw, payload, LARGE));
	EXPECT(!image_read_raw(reader, LARGE, &raw) && !memcmp(raw, payload, LARGE));
	image_store_close(store);
	return NULL;
}

static const char *refuses(int fd, const char *what, size_t at)
{
	struct image_error error = { 0 };
	struct image_store *store;
	int err = receive(fd, &error, &store);

	if (!err)
		return because("%s at byte %zu was accepted", what, at);
	return error.text[0] ? NULL : because("%s at byte %zu: no text", what, at);
}

static const char *cut_and_flipped(void)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_store *store = writer_to(fd);
	const char *why = NULL;
	struct stat st;
	uint8_t *map;

	EXPECT(!write_dump(store, 1) && !image_store_commit(store) && !image_store_seal(store));
	image_store_close(store);
	EXPECT(!fstat(fd, &st));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	for (size_t at = 0; !why && at<(size_t)st.st_size; at += at> 300 && at + 300 < (size_t)st.st_size ? 61 : 1) {
		map[at] ^= (uint8_t)(1 << at % 8);
		why = refuses(fd, "a flipped bit", at);
		map[at] ^= (uint8_t)(1 << at % 8);
	}
	for (size_t at = (size_t)st.st_size - 1; !why && at > 0; at -= MIN_OF(at, at > 300 ? 97 : 1)) {
		EXPECT(!ftruncate(fd, (off_t)at));
		why = refuses(fd, "a cut", at);
	}
	munmap(map, (size_t)st.st_size);
	return why;
}

static const char *more_at_the_end(void)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_store *store = writer_to(fd);

	EXPECT(!write_dump(store, 1) && !image_store_commit(store) && !image_store_seal(store));
	image_store_close(store);
	EXPECT(write(fd, "x", 1) == 1);
	return refuses(fd, "one more", 0);
}

static const char *nobody_reads(void)
{
	struct image_store *store;
	int ends[2], err;

	EXPECT(!pipe2(ends, O_CLOEXEC));
	close(ends[0]);
	store = writer_to(ends[1]);
	err = write_dump(store, 1) ?: image_store_commit(store);
	EXPECT(err == -EPIPE && strstr(image_store_error(store), "its reader has ended"));
	image_store_close(store);
	close(ends[1]);
	return NULL;
}

/* The check value of CRC-32C; any division into parts; lengths around those of the lanes. */
static const char *checksum(void)
{
	static uint8_t bytes[40000];

	EXPECT(crc32c(0, "123456789", 9) == 0xe3069283 && crc32c(0, "", 0) == 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 5);
	for (size_t len = 0; len <= sizeof(bytes); len += len < 40 ? 1 : 997) {
		uint32_t whole = crc32c(0, bytes, len), parts = 0;

		for (size_t at = 0; at < len; at += 311)
			parts = crc32c(parts, bytes + at, MIN_OF(len - at, (size_t)311));
		if (whole != parts)
			return because("%zu bytes: %#x, in parts %#x", len, whole, parts);
	}
	return NULL;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	run_case("what is sent arrives", arrives);
	run_case("a second attempt", second_attempt);
	run_case("large images", large_images);
	run_case("cut and flipped", cut_and_flipped);
	run_case("more at the end", more_at_the_end);
	run_case("nobody reads", nobody_reads);
	run_case("checksum", checksum);
	return cases_failed();
}
