// SPDX-License-Identifier: GPL-2.0-only
#include "archive/content.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
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
