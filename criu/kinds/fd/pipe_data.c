// SPDX-License-Identifier: GPL-2.0-only
/*
 * tee(2) copies the content of a pipe into another one without consuming it, preserving packets. A read(2) returns at
 * most one packet and discards the rest of it: this distinguishes packets from a stream.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kinds/fd/pipe_data.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define PIPE_MAX_SIZE "sys/fs/pipe-max-size" /* of /proc */
#define PIPE_SIZE_LIMIT (1u << 31) /* the kernel's own */

ARRAY_OF(packet_array, uint32_t);

/* Above the limit of ordinary users: raise it while we set the size. Other processes that do the same wait for us. */
static int set_size_above_limit(int fd, uint32_t size)
{
	_cleanup_close_ int ctl = open_at(proc_root(), PIPE_MAX_SIZE, O_RDWR, 0);
	char was[32], want[32];
	ssize_t len;
	int err = 0;

	if (ctl < 0)
		return ctl;
	if (flock(ctl, LOCK_EX) < 0)
		return -errno;
	len = pread(ctl, was, sizeof(was), 0);
	if (len <= 0)
		return len < 0 ? -errno : -EIO;
	if (pwrite(ctl, want, snprintf(want, sizeof(want), "%u\n", size), 0) < 0)
		return -errno;
	if (fcntl(fd, F_SETPIPE_SZ, size) < 0)
		err = -errno;
	if (pwrite(ctl, was, len, 0) < 0)
		log_warn("/proc/%s remains at %u (it was %.*s): %m", PIPE_MAX_SIZE, size, (int)len - 1, was);
	return err;
}

static int set_size(int fd, uint32_t size)
{
	int now = fcntl(fd, F_GETPIPE_SZ), err;

	if (now < 0)
		return fail(-errno, "size of a pipe");
	if ((uint32_t)now == size || fcntl(fd, F_SETPIPE_SZ, size) >= 0)
		return 0;
	err = -errno;
	if (err == -EPERM)
		err = set_size_above_limit(fd, size);
	return err ? fail(err, "set the size of a pipe to %u bytes (see /proc/%s)", size, PIPE_MAX_SIZE) : 0;
}

static int bytes_in(int fd)
{
	int n;

	return ioctl(fd, FIONREAD, &n) < 0 ? -errno : n;
}

/* ---- dump ---- */

/* Fill the empty pipe @copy with all @bytes of @reader. */
static int copy_content(int reader, int copy, uint32_t bytes)
{
	ssize_t got = tee(reader, copy, bytes, SPLICE_F_NONBLOCK);

	if (got < 0)
		return fail(-errno, "tee the content of a pipe");
	if ((uint32_t)got != bytes)
		return fail(-EIO, "tee the content of a pipe: %zd of %u bytes", got, bytes);
	return 0;
}

/* Read all but one byte: of a stream the last byte remains, of a packet nothing does. */
static int is_stream(int copy_reader, char *to, uint32_t bytes, bool *ret_stream)
{
	ssize_t got = bytes > 1 ? read(copy_reader, to, bytes - 1) : 0;

	if (got < 0)
		return fail(-errno, "read the copy of a pipe");
	if ((uint32_t)got == bytes - 1 && bytes_in(copy_reader) == 1) {
		got = read(copy_reader, to + got, 1);
		if (got != 1)
			return fail(got < 0 ? -errno : -EIO, "read the copy of a pipe");
		*ret_stream = true;
		return 0;
	}
	while (bytes_in(copy_reader) > 0)
		if (read(copy_reader, to, bytes) < 0)
			return fail(-errno, "read the copy of a pipe");
	*ret_stream = false;
	return 0;
}

static int read_packets(int copy_reader, char *to, uint32_t bytes, struct packet_array *packets)
{
	uint32_t at = 0;

	while (at < bytes) {
		ssize_t got = read(copy_reader, to + at, bytes - at);

		if (got <= 0)
			return fail(got < 0 ? -errno : -EIO, "read the copy of a pipe");
		if (array_add(packets, (uint32_t)got))
			return fail(-ENOMEM, "packets of a pipe");
		at += got;
	}
	return 0;
}

struct pipe_content {
	uint32_t size, bytes; /* size of the pipe, and bytes in it */
	char *to; /* space for them */
	struct packet_array packets; /* none: a stream */
};

static int read_content(int local, bool packet_mode, struct pipe_content *c)
{
	_cleanup_close_ int own = -1, copy_reader = -1, copy_writer = -1;
	int reader = local, ends[2], err;
	bool stream = false;

	if ((fcntl(local, F_GETFL) & O_ACCMODE) == O_WRONLY) {
		reader = own = reopen_fd(local, O_RDONLY | O_NONBLOCK);
		if (own < 0)
			return fail(own, "open the other end of a pipe");
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(-errno, "make a pipe");
	copy_reader = ends[0];
	copy_writer = ends[1];
	err = set_size(copy_writer, c->size);
	if (!err)
		err = copy_content(reader, copy_writer, c->bytes);
	/* A single byte does not show the difference: the flag of the descriptor decides. */
	if (!err && !(c->bytes == 1 && packet_mode))
		err = is_stream(copy_reader, c->to, c->bytes, &stream);
	else if (!err)
		return read_packets(copy_reader, c->to, c->bytes, &c->packets);
	if (err || stream)
		return err;
	err = copy_content(reader, copy_writer, c->bytes);
	return err ? err : read_packets(copy_reader, c->to, c->bytes, &c->packets);
}

int pipe_data_save(struct dump *dump, enum image_type type, uint32_t pipe_id, int local)
{
	int size = fcntl(local, F_GETPIPE_SZ), bytes = bytes_in(local), flags = fcntl(local, F_GETFL), err = 0;
	struct pipe_content read = { 0 };
	PipeDataEntry entry = PIPE_DATA_ENTRY__INIT;
	_cleanup_free_ char *content = NULL;
	struct image_writer *img;

	if (dump_is_check(dump))
		return 0;
	if (size < 0 || bytes < 0)
		return fail(size < 0 ? -errno : bytes, "size and content of a pipe");
	if (!bytes && size == PIPE_SIZE_DEFAULT)
		return 0;
	content = malloc(bytes + 1);
	if (!content)
		return fail(-ENOMEM, "content of a pipe");
	read = (struct pipe_content){ .size = size, .bytes = bytes, .to = content };
	if (bytes)
		err = read_content(local, flags & O_DIRECT, &read);
	if (!err)
		err = dump_shared_image(dump, type, &img);
	if (!err) {
		entry.pipe_id = pipe_id;
		entry.bytes = bytes;
		entry.has_size = true;
		entry.size = size;
		entry.packet_sizes = read.packets.v;
		entry.n_packet_sizes = read.packets.n;
		err = image_write_record(img, &entry.base);
		if (!err)
			err = image_write_raw(img, content, bytes);
		if (err)
			fail(err, "%s", image_store_error(dump->dir));
	}
	array_free(&read.packets);
	return err;
}

/* ---- restore ---- */

static int check_entry(struct image_reader *img, const PipeDataEntry *entry)
{
	uint64_t sum = 0;

	if (entry->has_size && entry->size > PIPE_SIZE_LIMIT)
		return image_refuse(img, "invalid pipe size of %u bytes", entry->size);
	if (entry->bytes > PIPE_SIZE_LIMIT || (entry->has_size && entry->bytes > entry->size))
		return image_refuse(img, "%u bytes do not fit into the pipe", entry->bytes);
	for (size_t i = 0; i < entry->n_packet_sizes; i++) {
		if (!entry->packet_sizes[i] || entry->packet_sizes[i] > PAGE_SZ)
			return image_refuse(img, "invalid packet of %u bytes", entry->packet_sizes[i]);
		sum += entry->packet_sizes[i];
	}
	if (entry->n_packet_sizes && sum != entry->bytes)
		return image_refuse(img, "packets of %" PRIu64 " bytes in a pipe of %u", sum, entry->bytes);
	return 0;
}

static int store_entry(struct restore *r, struct image_reader *img, const PipeDataEntry *entry,
		       struct record_table *table)
{
	size_t len = pipe_data_entry__get_packed_size(entry);
	struct pipe_data *data;
	uint8_t *packed;
	const void *bytes;
	void *copy;
	int err = check_entry(img, entry);

	if (!err)
		err = image_read_raw(img, entry->bytes, &bytes);
	if (err)
		return err;
	if (record_find(table, 0, entry->pipe_id))
		return image_refuse(img, "duplicate pipe %u", entry->pipe_id);
	data = record_new(&r->arena, table, 0, entry->pipe_id, sizeof(*data));
	packed = restore_alloc(r, len + 1);
	copy = restore_alloc(r, entry->bytes + 1);
	if (!data || !packed || !copy)
		return -ENOMEM;
	pipe_data_entry__pack(entry, packed);
	data->entry = pipe_data_entry__unpack(&r->arena.protobuf, len, packed);
	data->bytes = memcpy(copy, bytes, entry->bytes);
	return data->entry ? 0 : -ENOMEM;
}

/* Reads and checks all of @type into @table. */
static int pipe_data_load(struct restore *r, enum image_type type, struct record_table *table)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	int err = image_open(r->dir, type, 0, &img), got = 1;

	if (err == -ENOENT)
		return 0;
	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	while (!err && got > 0) {
		PipeDataEntry *entry;

		got = image_read_record(img, &pipe_data_entry__descriptor, &entry);
		err = got < 0 ? got : 0;
		if (got <= 0)
			break;
		err = store_entry(r, img, entry, table);
		image_free_record(entry);
	}
	return err ? fail(err, "%s", err == -ENOMEM ? "content of pipes" : image_error(img)) : 0;
}

static int put_packets(const struct pipe_data *data, int writer)
{
	const char *at = data->bytes;

	/* Data written with O_DIRECT set is a packet. */
	if (fcntl(writer, F_SETFL, O_NONBLOCK | O_DIRECT) < 0)
		return -errno;
	for (size_t i = 0; i < data->entry->n_packet_sizes; i++) {
		int err = write_full(writer, at, data->entry->packet_sizes[i]);

		if (err)
			return err;
		at += data->entry->packet_sizes[i];
	}
	return 0;
}

int pipe_data_put(const struct pipe_data *data, int writer)
{
	_cleanup_close_ int own = -1;
	int err = 0;

	if (!data)
		return 0;
	if (data->entry->has_size)
		err = set_size(writer, data->entry->size);
	else if (data->entry->bytes > PIPE_SIZE_DEFAULT)
		err = set_size(writer, data->entry->bytes);
	if (err || !data->entry->bytes)
		return err;
	/* Our own open file description: the flags of @writer are unchanged. */
	own = reopen_fd(writer, O_WRONLY | O_NONBLOCK);
	if (own < 0)
		return fail(own, "open a pipe again");
	err = data->entry->n_packet_sizes ? put_packets(data, own) : write_full(own, data->bytes, data->entry->bytes);
	return err ? fail(err, "restore %u bytes in a pipe", data->entry->bytes) : 0;
}

/* ---- groups ---- */

int pipe_restore_data(struct restore *r, const struct fd_kind *kind, enum image_type type,
		      struct pipe_restore **ret_data)
{
	struct pipe_restore *data = kind_data_of(&r->arena, restore_kind_data(r, kind), sizeof(*data));

	if (!data)
		return fail(-ENOMEM, "pipes");
	*ret_data = data;
	if (data->loaded)
		return 0;
	data->loaded = true;
	return pipe_data_load(r, type, &data->data);
}

int pipe_group_add(struct restore *r, struct pipe_restore *data, uint32_t pipe_id, struct pipe_end *end,
		   struct pipe_group **ret_group)
{
	struct pipe_group *group = record_find(&data->groups, 0, pipe_id);

	if (!group) {
		group = record_new(&r->arena, &data->groups, 0, pipe_id, sizeof(*group));
		if (!group)
			return fail(-ENOMEM, "pipe %u", pipe_id);
		group->inherited = -1;
		group->data = record_find(&data->data, 0, pipe_id);
	}
	end->next = group->ends;
	group->ends = end;
	*ret_group = group;
	return 0;
}

void pipe_group_link(struct pipe_group *group, struct file *file)
{
	for (const struct pipe_end *end = group->ends; end && !group->maker; end = end->next)
		if (end->file->owner)
			group->maker = end->file;
	if (!group->maker)
		group->maker = group->ends->file;
	if (file != group->maker)
		file->maker = group->maker;
}

int pipe_end_provide(struct restore *r, const struct pipe_group *group, const struct pipe_end *end, int fd, int *ret_fd)
{
	int err = set_status_flags(r, fd, end->flags, end->fown);

	if (err) {
		close(fd);
		return err;
	}
	if (end->file != group->maker)
		return restore_provide(r, end->file, fd);
	*ret_fd = fd;
	return 0;
}
