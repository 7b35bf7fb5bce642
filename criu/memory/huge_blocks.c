/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/huge_blocks.h"
#include <compel/syscall.h>
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

int huge_blocks_open(struct huge_blocks *b)
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

int huge_blocks_register(const struct huge_blocks *b, uint64_t start, uint64_t end)
{
	struct uffdio_register reg = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_MISSING };

	return ioctl(b->uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

/* Room that is aligned. */
static int reserve_stage(void **stage, size_t len)
{
	const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	long room = sys_call6(__NR_mmap, 0, (long)(len + HUGE_PAGE_SZ), PROT_NONE, flags, -1, 0), start;

	if (room < 0 && room > -4096)
		return (int)room;
	start = (long)ROUND_UP((uint64_t)room, HUGE_PAGE_SZ);
	if (start > room)
		sys_call2(__NR_munmap, room, start - room);
	sys_call2(__NR_munmap, start + (long)len, (long)HUGE_PAGE_SZ - (start - room));
	*stage = (void *)start;
	return 0;
}

/* A fresh one each time: moved pages leave a hole that would be filled by small pages. */
int huge_stage_renew(void **stage, size_t len)
{
	long at;
	int err = *stage ? 0 : reserve_stage(stage, len);

	if (err)
		return err;
	at = sys_call6(__NR_mmap, (long)*stage, (long)len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (at < 0 && at > -4096)
		return (int)at;
	sys_call3(__NR_madvise, (long)*stage, (long)len, MADV_HUGEPAGE);
	return 0;
}

int huge_blocks_move(const struct huge_blocks *b, void *to, const void *stage, size_t len)
{
	struct uffdio_move move = { .dst = (uintptr_t)to, .src = (uintptr_t)stage, .len = len };
	long err = sys_call3(__NR_ioctl, b->uffd, UFFDIO_MOVE, (long)&move);

	return err ? (int)err : move.move == (int64_t)len ? 0 : -EAGAIN;
}

/* Registered only for this long. */
static int move(struct huge_blocks *b, const struct block_read *what, uint64_t done, uint64_t len)
{
	struct uffdio_range range = { what->map_start, what->map_end - what->map_start };
	int err = huge_blocks_register(b, what->map_start, what->map_end);

	if (err)
		return err;
	err = huge_blocks_move(b, what->to + done, b->stage, len);
	/* Ends with the descriptor at the latest: while it is registered, reading into it would fail. */
	if (ioctl(b->uffd, UFFDIO_UNREGISTER, &range) < 0) {
		close(steal_fd(&b->uffd));
		b->failed = true;
	}
	return err;
}

static int read_to(const struct block_read *what, uint64_t done, void *to, uint64_t len)
{
	return what->source->ops->read(what->source, what->run, what->addr + done, to, len);
}

/* 1: has to be done without huge pages. */
static int move_part(struct huge_blocks *b, const struct block_read *what, uint64_t done, uint64_t len)
{
	int err = huge_stage_renew(&b->stage, STAGE_SIZE);

	if (err)
		return 1;
	err = read_to(what, done, b->stage, len);
	return err < 0 ? err : move(b, what, done, len) ? 1 : 0;
}

int huge_blocks_read(struct huge_blocks *b, const struct block_read *what)
{
	bool plain = huge_blocks_open(b);

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
