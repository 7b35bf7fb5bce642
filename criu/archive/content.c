// SPDX-License-Identifier: GPL-2.0-only
#include "archive/content.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bits.h"
#include "util/fds.h"

void content_free(struct content *c)
{
	array_free(&c->pieces);
}

static int add(struct content *c, uint64_t at, uint64_t end)
{
	return array_add(&c->pieces, ((struct content_piece){ at, end - at }));
}

int content_find(int fd, uint64_t size, uint64_t blocks, struct content *ret)
{
	uint64_t at = 0;
	int err = 0;

	ret->size = size;
	if (blocks >= size / 512 + !!(size % 512))
		return size ? add(ret, 0, size) : 0;
	while (!err && at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return -errno;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		at = MIN_OF((uint64_t)hole, size);
		if ((uint64_t)data >= at)
			break;
		err = add(ret, (uint64_t)data, at);
	}
	return err;
}

/* Adjacent pieces become one. */
static int add_adjacent(struct content *c, uint64_t at, uint64_t end)
{
	struct content_piece *last = c->pieces.n ? &c->pieces.v[c->pieces.n - 1] : NULL;

	if (!last || last->at + last->len != at)
		return add(c, at, end);
	last->len = end - last->at;
	return 0;
}

#define WINDOW (1ul << 30)

static int find_in_window(const unsigned char *resident, uint64_t at, struct content *ret)
{
	uint64_t end = MIN_OF(at + WINDOW, ret->size);
	int err = 0;

	for (uint64_t p = at; !err && p < end; p += PAGE_SZ)
		if (resident[(p - at) / PAGE_SZ] & 1)
			err = add_adjacent(ret, p, MIN_OF(p + PAGE_SZ, end));
	return err;
}

int content_find_resident(int fd, uint64_t size, struct content *ret)
{
	unsigned char *resident = malloc(WINDOW / PAGE_SZ);
	int err = resident ? 0 : -ENOMEM;

	ret->size = size;
	for (uint64_t at = 0; !err && at < size; at += WINDOW) {
		size_t len = MIN_OF(size - at, (uint64_t)WINDOW);
		void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)at);

		if (map == MAP_FAILED || mincore(map, len, resident) < 0)
			err = -errno;
		else
			err = find_in_window(resident, at, ret);
		if (map != MAP_FAILED)
			munmap(map, len);
	}
	free(resident);
	return err;
}

#define ZERO_STEP (64u << 10)

/* 1: all zero */
static int is_zero(int fd, uint64_t at, uint64_t len)
{
	static const char zeros[ZERO_STEP];
	char bytes[ZERO_STEP];

	for (uint64_t end = at + len; at < end; at += ZERO_STEP) {
		size_t n = MIN_OF(end - at, (uint64_t)ZERO_STEP);
		int err = pread_exact(fd, bytes, n, (off_t)at);

		if (err)
			return err;
		if (memcmp(bytes, zeros, n) != 0)
			return 0;
	}
	return 1;
}

int content_find_nonzero(int fd, uint64_t size, uint64_t page, struct content *ret)
{
	int err = 0;

	ret->size = size;
	for (uint64_t at = 0; !err && at < size; at += page) {
		uint64_t len = MIN_OF(page, size - at);
		int zero = is_zero(fd, at, len);

		err = zero < 0 ? zero : zero ? 0 : add_adjacent(ret, at, at + len);
	}
	return err;
}

static bool has_holes(const struct content *c)
{
	return c->size && (c->pieces.n != 1 || c->pieces.v[0].len != c->size);
}

void content_describe(const struct content *c, struct archive_entry *entry)
{
	const struct content_piece *piece;

	if (!has_holes(c))
		return;
	array_for_each(piece, &c->pieces)
		archive_entry_sparse_add_entry(entry, (int64_t)piece->at, (int64_t)piece->len);
	if (!c->pieces.n)
		archive_entry_sparse_add_entry(entry, (int64_t)c->size - 1, 1);
}

static int put(struct archive *tar, const char *bytes, uint64_t len)
{
	while (len) {
		la_ssize_t n = archive_write_data(tar, bytes, len);

		if (n <= 0)
			return -EPROTO;
		len -= (uint64_t)n;
	}
	return 0;
}

/* libarchive knows from the header that this is a hole: it does not access the bytes that are passed to it. */
static int skip_hole(struct archive *tar, const char *buffer, uint64_t len)
{
	return put(tar, buffer, len);
}

static int write_piece(const struct content_piece *piece, int fd, struct archive *tar, char *buffer, size_t size)
{
	int err = 0;

	for (uint64_t done = 0; !err && done < piece->len;) {
		size_t len = MIN_OF((uint64_t)size, piece->len - done);

		err = pread_exact(fd, buffer, len, (off_t)(piece->at + done));
		if (err == -ENODATA)
			return -EBUSY;
		if (!err)
			err = put(tar, buffer, len);
		done += len;
	}
	return err;
}

int content_write(const struct content *c, int fd, struct archive *tar, char *buffer, size_t size)
{
	const struct content_piece *piece;
	uint64_t at = 0;
	int err = 0;

	array_for_each(piece, &c->pieces) {
		err = skip_hole(tar, buffer, piece->at - at);
		if (!err)
			err = write_piece(piece, fd, tar, buffer, size);
		if (err)
			return err;
		at = piece->at + piece->len;
	}
	if (!c->size || c->pieces.n)
		return 0;
	err = skip_hole(tar, buffer, c->size - 1);
	return err ? err : put(tar, "", 1);
}
