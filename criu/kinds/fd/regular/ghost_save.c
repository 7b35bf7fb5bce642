// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes ghost-file-ID.img: a file that has no name any more, or that would be lost by a reboot. ghost_load.c reads it.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"

#define PIECE (256u << 10)

/*
 * The next range of data at or after @from; false: only a hole is left. On a file system without holes, the whole file.
 */
static bool next_data(int fd, uint64_t from, uint64_t size, uint64_t *ret_start, uint64_t *ret_end)
{
	off_t start = lseek(fd, from, SEEK_DATA), end;

	if (start < 0 && errno != ENXIO)
		start = from;
	if (start < 0 || (uint64_t)start >= size)
		return false;
	end = lseek(fd, start, SEEK_HOLE);
	*ret_start = start;
	*ret_end = end < 0 || (uint64_t)end > size ? size : (uint64_t)end;
	return true;
}

/* Bytes of @fd that are not holes. */
static uint64_t data_size(int fd, uint64_t size)
{
	uint64_t bytes = 0, at = 0, start;

	while (at < size && next_data(fd, at, size, &start, &at))
		bytes += at - start;
	return bytes;
}

static int write_range(struct image_writer *img, int fd, uint64_t from, uint64_t to, char *piece)
{
	while (from < to) {
		size_t len = MIN_OF(to - from, (uint64_t)PIECE);
		int err = pread_exact(fd, piece, len, from);

		if (!err)
			err = image_write_raw(img, piece, len);
		if (err)
			return err;
		from += len;
	}
	return 0;
}

static int write_content(struct image_writer *img, int fd, const GhostFileEntry *head, uint64_t size)
{
	_cleanup_free_ char *piece = malloc(PIECE);
	uint64_t start, at = 0;
	int err = 0;

	if (!piece)
		return -ENOMEM;
	if (!head->chunks)
		return write_range(img, fd, 0, size, piece);
	while (!err && at < size && next_data(fd, at, size, &start, &at)) {
		GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;

		chunk.off = start;
		chunk.len = at - start;
		err = image_write_record(img, &chunk.base);
		if (!err)
			err = write_range(img, fd, start, at, piece);
	}
	return err;
}

void ghost_head_of(const struct dump *dump, const struct stat *st, GhostFileEntry *head, Timeval times[2])
{
	head->uid = dump_uid_of(dump, st->st_uid);
	head->gid = dump_gid_of(dump, st->st_gid);
	head->mode = st->st_mode;
	head->has_dev = head->has_ino = true;
	head->dev = dev_to_kdev(st->st_dev);
	head->ino = st->st_ino;
	timeval__init(&times[0]);
	timeval__init(&times[1]);
	times[0].tv_sec = st->st_atim.tv_sec;
	times[0].tv_usec = st->st_atim.tv_nsec / 1000;
	times[1].tv_sec = st->st_mtim.tv_sec;
	times[1].tv_usec = st->st_mtim.tv_nsec / 1000;
	head->atim = &times[0];
	head->mtim = &times[1];
}

static int fill_head(const struct dump *dump, const struct subject *s, GhostFileEntry *head, Timeval times[2],
		     char target[static PATH_MAX])
{
	ghost_head_of(dump, &s->st, head, times);
	if (S_ISCHR(s->st.st_mode) || S_ISBLK(s->st.st_mode)) {
		head->has_rdev = true;
		head->rdev = dev_to_kdev(s->st.st_rdev);
	}
	if (S_ISLNK(s->st.st_mode)) {
		ssize_t len = read_link(s->local, "", target, PATH_MAX);

		if (len < 0)
			return len;
		head->symlnk_target = target;
	}
	return 0;
}

/* Writes the file itself into a new ghost-file image. */
static int save_ghost(struct dump *dump, const struct subject *s, const char *name, uint32_t ghost_id)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	_cleanup_close_ int fd = -1;
	GhostFileEntry head = GHOST_FILE_ENTRY__INIT;
	Timeval times[2];
	char target[PATH_MAX];
	int err = fill_head(dump, s, &head, times, target);

	if (err)
		return fail(err, "%s: read its attributes", name);
	dump_check_owner(dump, s->task, s->link, &s->st);
	if (dump->uid_map.read && s->st.st_rdev)
		dump_blocker(dump, s->task, s->fd,
			     "%s: a device, which cannot be created in a user namespace, has been unlinked: close it",
			     s->link);
	if (S_ISREG(s->st.st_mode)) {
		fd = reopen_fd(s->local, O_RDONLY | O_NONBLOCK | O_NOATIME);
		if (fd == -EPERM)
			fd = reopen_fd(s->local, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			return fail(fd, "%s: open it for reading", name);
		if (data_size(fd, s->st.st_size) < (uint64_t)s->st.st_size) {
			head.has_chunks = head.chunks = true;
			head.has_size = true;
			head.size = s->st.st_size;
		}
	}
	err = image_create(dump->dir, IMAGE_GHOST_FILE, ghost_id, &img);
	if (!err)
		err = image_write_record(img, &head.base);
	if (!err && fd >= 0)
		err = write_content(img, fd, &head, s->st.st_size);
	if (!err)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s: save it: %s", name, image_store_error(dump->dir)) : 0;
}

int ghost_save(struct dump *dump, const struct subject *s, const char *path, const struct ghost_rule *rule,
	       uint32_t *ret_id)
{
	uint64_t bytes = 0;
	uint32_t id;
	int err;

	if (S_ISREG(s->st.st_mode)) {
		_cleanup_close_ int fd = reopen_fd(s->local, O_RDONLY | O_NONBLOCK);

		if (fd < 0)
			return fail(fd, "%s %s: open it for reading", path, rule->state);
		bytes = data_size(fd, s->st.st_size);
	}
	if (bytes > rule->limit) {
		dump_blocker(dump, s->task, s->fd,
			     "%s %s and has %" PRIu64 " bytes: more than %s (%" PRIu64 "); use %s%" PRIu64 " or more",
			     path, rule->state, bytes, rule->option, rule->limit, rule->give, bytes);
		return 0;
	}
	if (dump_is_check(dump))
		return 0;
	id = ++regular_dump_data(dump)->last_ghost;
	err = save_ghost(dump, s, path, id);
	if (!err)
		*ret_id = id;
	return err;
}
