/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/huge_blocks.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "pie/vma.h"
#include "util/fds.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_MOVE /* Linux 6.8 */
#define UFFD_FEATURE_MOVE (1 << 16)
struct uffdio_move {
	uint64_t dst, src, len, mode;
	int64_t move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

#define STAGE_SIZE (16ul << 20)

static int open_uffd(struct huge_blocks *b)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };

	if (b->uffd >= 0 || b->failed)
		return b->failed ? -EOPNOTSUPP : 0;
	b->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (b->uffd >= 0 && ioctl(b->uffd, UFFDIO_API, &api) < 0)
		close(steal_fd(&b->uffd));
	b->failed = b->uffd < 0;
	return b->failed ? -EOPNOTSUPP : 0;
}

/* A fresh one each time: moved pages leave a hole that would be filled by small pages. */
static int fresh_stage(struct huge_blocks *b)
{
	void *stage = b->stage;

	if (!stage) {
		char *room = mmap(NULL, STAGE_SIZE + HUGE_PAGE_SZ, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (room == MAP_FAILED)
			return -errno;
		stage = (void *)ROUND_UP((uintptr_t)room, HUGE_PAGE_SZ);
		if ((char *)stage > room)
			munmap(room, (size_t)((char *)stage - room));
		munmap((char *)stage + STAGE_SIZE, HUGE_PAGE_SZ - (size_t)((char *)stage - room));
	}
	b->stage = stage;
	if (mmap(stage, STAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return -errno;
	madvise(stage, STAGE_SIZE, MADV_HUGEPAGE);
	return 0;
}

/* Registered only for this long: nothing handles faults. */
static int move(struct huge_blocks *b, const struct block_read *what, uint64_t done, uint64_t len)
{
	struct uffdio_register reg = { .range = { what->map_start, what->map_end - what->map_start },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_move move = { .dst = (uintptr_t)what->to + done, .src = (uintptr_t)b->stage, .len = len };
	bool moved;

	if (ioctl(b->uffd, UFFDIO_REGISTER, &reg) < 0)
		return -errno;
	moved = !ioctl(b->uffd, UFFDIO_MOVE, &move) && move.move == (int64_t)len;
	/* Ends with the descriptor at the latest: while it is registered, reading into it would fail. */
	if (ioctl(b->uffd, UFFDIO_UNREGISTER, &reg.range) < 0) {
		close(steal_fd(&b->uffd));
		b->failed = true;
	}
	return moved ? 0 : -EAGAIN;
}

static int read_to(const struct block_read *what, uint64_t done, void *to, uint64_t len)
{
	return what->source->ops->read(what->source, what->run, what->addr + done, to, len);
}

/* 1: has to be done without huge pages. */
static int move_part(struct huge_blocks *b, const struct block_read *what, uint64_t done, uint64_t len)
{
	int err = fresh_stage(b);

	if (err)
		return 1;
	err = read_to(what, done, b->stage, len);
	return err < 0 ? err : move(b, what, done, len) ? 1 : 0;
}

int huge_blocks_read(struct huge_blocks *b, const struct block_read *what)
{
	bool plain = open_uffd(b);

	for (uint64_t done = 0, len; done < what->len; done += len) {
		int err;

		len = MIN_OF(what->len - done, STAGE_SIZE);
		err = plain ? 1 : move_part(b, what, done, len);
		if (err > 0) {
			/* Blocks that were moved are present, and are read again in place. */
			plain = true;
			err = read_to(what, done, what->to + done, len);
		}
		if (err < 0)
			return err;
	}
	return 0;
}

bool vma_may_be_huge(const VmaEntry *v)
{
	return (v->status & VMA_ANON_PRIVATE) && !(v->flags & (MAP_GROWSDOWN | MAP_HUGETLB)) &&
	       !(v->has_madv && v->madv & BIT(MADV_NOHUGEPAGE));
}

void huge_blocks_close(struct huge_blocks *b)
{
	cleanup_close(&b->uffd);
	if (b->stage)
		munmap(b->stage, STAGE_SIZE);
	*b = HUGE_BLOCKS_CLOSED;
}
