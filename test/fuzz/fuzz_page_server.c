// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a client sends to a page server. The input has only messages: the content of short runs is added. After a session that
 * succeeded the images can be read, and are those of the checksums beside them; after any other one there are none, unless the
 * client was notified that they are saved.
 */
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "image/checksums.h"
#include "image/dir.h"
#include "image/pagemap.h"
#include "page_server/session.h"
#include "transport/message.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT_MAX (3 * PAGE_SZ)
#define STREAM_MAX (100ul << 10)

static char top[] = "/dev/shm/fuzz_page_server.XXXXXX";

static void remove_top(void)
{
	rmdir(top);
}

/* In memory: most of the time is for creating files otherwise. */
static int make_dir(void)
{
	static int dir = -1;

	if (dir >= 0)
		return dir;
	if (!mkdtemp(top) || (dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	atexit(remove_top);
	log_to_fd(-1);
	return dir;
}

static void check_sum(struct image_store *store, const struct checksum *sum)
{
	static char content[1 << 20];
	struct image_extent extent;

	if (image_store_open(store, sum->type, sum->id, &extent) || extent.len != sum->size ||
	    extent.len > sizeof(content) || pread_exact(extent.fd, content, extent.len, (off_t)extent.base) ||
	    crc32c(0, content, extent.len) != sum->crc)
		abort();
	close(extent.fd);
}

/* All page maps have checksums, and there are none of anything else. */
static void check_sums(struct image_store *store, size_t nr_maps)
{
	struct checksums sums = { 0 };
	size_t n = 0;

	if (checksums_read(store, IMAGE_PAGE_CHECKSUMS, &sums))
		abort();
	for (size_t i = 0; i < sums.n; i++) {
		check_sum(store, &sums.v[i]);
		n += sums.v[i].type == IMAGE_PAGEMAP || sums.v[i].type == IMAGE_SHMEM_PAGEMAP;
	}
	if (n != nr_maps || n != sums.n)
		abort();
	checksums_free(&sums);
}

/* Is @name a page map, which can be read? */
static bool check_image(struct image_store *store, const char *name)
{
	struct pagemap *map;
	enum image_type type;
	uint64_t id;

	/* No temporary names. */
	if (image_parse_name(name, &type, &id))
		abort();
	if (type == IMAGE_PAGES || type == IMAGE_PAGE_CHECKSUMS)
		return false;
	if (pagemap_load(store, type, id, &map) < 0)
		abort();
	pagemap_free(map);
	return true;
}

/* Checks and removes everything; returns how many images there were. */
static size_t take_images(int fd)
{
	struct image_store *store;
	DIR *dir = fdopendir(dup(fd));
	size_t n = 0, nr_maps = 0;

	if (!dir || image_dir_open_fd(fd, &store) < 0)
		abort();
	rewinddir(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		nr_maps += check_image(store, e->d_name);
	}
	if (n)
		check_sums(store, nr_maps);
	rewinddir(dir);
	for (struct dirent *e; (e = readdir(dir));)
		unlinkat(fd, e->d_name, 0);
	image_store_close(store);
	closedir(dir);
	return n;
}

/* The answer to CLOSE is the last one. */
static bool has_answer_saved(int sock)
{
	static uint8_t answers[64 << 10];
	ssize_t n = recv(sock, answers, sizeof(answers), MSG_DONTWAIT);
	uint32_t status = 0;

	if (n < (ssize_t)sizeof(status))
		return false;
	memcpy(&status, answers + n - sizeof(status), sizeof(status));
	return !status || le32toh(status) == MESSAGE_SAVED_TELL_ME;
}

/* All of it is there when the server begins: what it would have to wait for does not exist. */
static void send_stream(int sock, const uint8_t *data, size_t size)
{
	static const uint8_t content[CONTENT_MAX];

	for (size_t at = 0, sent = 0; at < size && sent < STREAM_MAX; at += MESSAGE_SIZE) {
		size_t len = MIN_OF(size - at, (size_t)MESSAGE_SIZE);
		struct message m = { 0 };

		if (send(sock, data + at, len, MSG_DONTWAIT) != (ssize_t)len)
			return;
		if (len == MESSAGE_SIZE)
			message_decode(data + at, &m);
		len = m.nr_pages <= CONTENT_MAX / PAGE_SZ ? m.nr_pages * PAGE_SZ : 0;
		if (!(m.command == MESSAGE_ADD || (m.command == MESSAGE_ADD_F && m.flags & MESSAGE_PRESENT)) || !len)
			continue;
		if (send(sock, content, len, MSG_DONTWAIT) != (ssize_t)len)
			return;
		sent += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int dir = make_dir();
	struct connection connection;
	struct images images;
	struct page_session_outcome outcome = { .must_know = true };
	int fds[2], ret;
	size_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || connection_open(&connection, fds[0]) < 0)
		abort();
	connection.stop_fd = eventfd(1, EFD_CLOEXEC);
	send_stream(fds[1], data, size);
	if (images_begin(&images, dir, NULL) < 0)
		abort();
	ret = page_session_serve(&connection, &images, size % 2, &outcome);
	images_free(&images);
	close(connection.stop_fd);
	connection_close(&connection);
	n = take_images(dir);
	if (ret > 0 || (!ret && !n) || (n && !has_answer_saved(fds[1])))
		abort();
	close(fds[1]);
	return 0;
}
