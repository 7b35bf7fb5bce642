/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/direct_io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bits.h"
#include "util/log.h"

static int set(int fd, int direct)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, (flags & ~O_DIRECT) | direct) < 0 ? -errno : 0;
}

bool direct_io_begin(int fd, _Atomic uint32_t *warned)
{
	int err = set(fd, O_DIRECT);

	if (err && !atomic_exchange(warned, 1))
		log_warn(
			"the file system of the images cannot be accessed directly (O_DIRECT: %s): --image-io-mode direct has no effect",
			strerror(-err));
	return !err;
}

void direct_io_end(int fd, _Atomic uint32_t *warned)
{
	set(fd, 0);
	if (!atomic_exchange(warned, 1))
		log_warn(
			"pages images cannot be accessed directly (they need a larger alignment than pages have, or the memory cannot be used for that): --image-io-mode direct has no effect");
}

/* The first page, to a page: does the device need more alignment? Whatever else is wrong is reported by those who read all. */
static bool can_read(int fd, uint64_t offset)
{
	char *page = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	if (page == MAP_FAILED)
		return false;
	can = pread(fd, page, PAGE_SZ, (off_t)offset) >= 0 || errno != EINVAL;
	munmap(page, PAGE_SZ);
	return can;
}

static void begin_reads(int fd, uint64_t offset, _Atomic uint32_t *warned)
{
	if (direct_io_begin(fd, warned) && !can_read(fd, offset))
		direct_io_end(fd, warned);
}

/*
 * Only where images are files, each opened by this process itself: others read parts of them that are not aligned. Pages between
 * compressed ones may begin anywhere.
 */
void direct_io_for_restorer(struct restore *r, const struct wire_task *wire)
{
	const struct wire_io *io = (const struct wire_io *)(uintptr_t)wire->ios;

	if (r->opts->image_io_mode != IMAGE_IO_DIRECT || r->opts->stream || r->tool.untrusted)
		return;
	for (size_t i = 0; i < wire->nr_ios; i++)
		if (io[i].offset % PAGE_SZ)
			return;
	for (size_t i = 0; i < wire->nr_ios; i++) {
		bool begun = false;

		/* There is one for each directory of images; runs of one follow each other. */
		for (size_t j = i; !begun && j-- > 0;)
			begun = io[j].fd == io[i].fd;
		if (!begun)
			begin_reads(io[i].fd, io[i].offset, &r->shared->birth->direct_warned);
	}
}
