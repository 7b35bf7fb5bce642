/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * Reads pages from the images. Filling fresh 4K pages costs more than the copy itself: a saved, aligned 2 MiB block is
 * read into a huge page and moved into place (UFFDIO_MOVE, userfaultfd(2)). Unlike MADV_HUGEPAGE, that leaves no flag
 * on the mapping.
 */
#include <asm-generic/errno.h>
#include <asm-generic/fcntl.h>
#include <compel/pie.h>
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include "base/bits.h"
#include "pie/vma.h"
#include "pie/restorer/core.h"
#include "pie/restorer/reader.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
struct uffdio_move {
	uint64_t dst, src, len, mode;
	int64_t move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* prctl(2) */
enum {
	SET_THP_DISABLE = 41,
	GET_THP_DISABLE = 42,
};

#define PIECE (16ul << 20) /* small enough for a progress display */
/* Pages are populated so many bytes at a time, to be still in the CPU's cache when they are read into; for fewer it is not worth a call. */
#define POPULATE_MAX (512ul << 10)
#define POPULATE_MIN (32ul << 10)

/* Reads that follow each other in the file are made by one call: a process has few pages here and there. */
#define GATHER_MAX 64

struct gather {
	int fd;
	uint32_t n;
	uint64_t offset, len; /* of all of them */
	struct {
		uint64_t to, len;
	} parts[GATHER_MAX]; /* struct iovec */
};

struct mover {
	struct wire_task *task;
	long fd; /* userfaultfd, negative: none */
	const struct wire_vma *vma; /* registered now */
	bool blocks; /* what is loaded now */
	struct reader reader;
	struct gather gather;
};

static void report_read(struct wire_task *task, uint64_t bytes)
{
	struct restorer_counts *counts = (void *)task->counts;

	atomic_fetch_add(&counts->bytes, bytes);
}

static void report_restored(struct wire_task *task, uint64_t pages)
{
	struct restorer_counts *counts = (void *)task->counts;

	atomic_fetch_add(&counts->pages_restored, pages);
}

static int read_all(struct wire_task *task, int fd, uint64_t to, uint64_t len, uint64_t offset)
{
	while (len) {
		long got = sys_pread64(fd, (void *)to, MIN_OF(len, PIECE), offset);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return restorer_fail_at(task, got ? got : -EIO, "read pages", to);
		report_read(task, (uint64_t)got);
		to += got;
		offset += got;
		len -= got;
	}
	return 0;
}

/* One call for small pages costs less than a fault for each of them. If it fails, they are faulted in, which reports errors. */
static void populate(uint64_t start, uint64_t len)
{
	if (len >= POPULATE_MIN)
		sys_madvise((void *)start, len, MADV_POPULATE_WRITE);
}

static int read_populated(struct wire_task *task, int fd, uint64_t to, uint64_t len, uint64_t offset)
{
	int err = 0;

	for (uint64_t done = 0, n; !err && done < len; done += n) {
		n = MIN_OF(len - done, POPULATE_MAX);
		populate(to + done, n);
		err = read_all(task, fd, to + done, n, offset + done);
	}
	return err;
}

/* What a single call does not read is read part by part. */
static int gather_read(struct mover *m)
{
	struct gather *g = &m->gather;
	uint64_t offset = g->offset, done = 0;
	int err = 0;

	if (g->n == 1) {
		g->n = 0;
		return read_populated(m->task, g->fd, g->parts[0].to, g->parts[0].len, offset);
	}
	for (uint32_t i = 0; i < g->n; i++)
		populate(g->parts[i].to, g->parts[i].len);
	if (g->n) {
		long got = sys_call5(__NR_preadv, g->fd, (long)g->parts, g->n, (long)g->offset, 0);

		done = got > 0 ? (uint64_t)got : 0;
		report_read(m->task, done);
	}
	for (uint32_t i = 0; !err && i < g->n; i++) {
		uint64_t have = MIN_OF(done, g->parts[i].len);

		err = read_all(m->task, g->fd, g->parts[i].to + have, g->parts[i].len - have, offset + have);
		offset += g->parts[i].len;
		done -= have;
	}
	g->n = 0;
	return err;
}

static int gather_add(struct mover *m, int fd, uint64_t to, uint64_t len, uint64_t offset)
{
	struct gather *g = &m->gather;
	int err = 0;

	if (!len)
		return 0;
	if (g->n && (g->n == GATHER_MAX || g->fd != fd || g->offset + g->len != offset || g->len + len > POPULATE_MAX))
		err = gather_read(m);
	if (!g->n) {
		g->fd = fd;
		g->offset = offset;
		g->len = 0;
	}
	g->parts[g->n].to = to;
	g->parts[g->n++].len = len;
	g->len += len;
	return err;
}

/* Is there an aligned block in any of the reads? */
static bool has_blocks(const struct wire_task *task)
{
	const struct wire_io *io = (void *)task->ios;

	for (uint64_t i = 0; i < task->nr_ios; i++)
		if (ROUND_UP(io[i].addr, HUGE_PAGE_SZ) < ROUND_DOWN(io[i].addr + io[i].len, HUGE_PAGE_SZ))
			return true;
	return false;
}

static void mover_open(struct mover *m, struct wire_task *task)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };

	m->task = task;
	m->vma = NULL;
	m->fd = -1;
	m->gather.n = 0;
	if (!task->stage_len || !has_blocks(task))
		return;
	m->fd = sys_userfaultfd(O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (m->fd >= 0 && sys_ioctl(m->fd, UFFDIO_API, (long)&api)) {
		sys_close(m->fd);
		m->fd = -1;
	}
}

static void unregister(struct mover *m)
{
	struct uffdio_range range;

	if (!m->vma)
		return;
	range.start = m->vma->start;
	range.len = m->vma->end - m->vma->start;
	sys_ioctl(m->fd, UFFDIO_UNREGISTER, (long)&range);
	m->vma = NULL;
}

static int use_vma(struct mover *m, const struct wire_vma *vma)
{
	struct uffdio_register reg = { .range = { vma->start, vma->end - vma->start },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (m->vma == vma)
		return 0;
	unregister(m);
	if (sys_ioctl(m->fd, UFFDIO_REGISTER, (long)&reg))
		return -EINVAL;
	m->vma = vma;
	return 0;
}

/* Both halves at once, each of whole huge pages. */
static int read_stage(struct mover *m, int fd, uint64_t len, uint64_t offset)
{
	uint64_t own = m->reader.open ? ROUND_UP(len / 2, HUGE_PAGE_SZ) : len;
	struct wire_task *task = m->task;
	long other = 0;
	int err;

	if (own < len)
		reader_start(&m->reader, fd, task->stage + own, len - own, offset + own);
	err = read_all(task, fd, task->stage, own, offset);
	if (own < len)
		other = reader_wait(&m->reader);
	if (own < len)
		report_read(task, len - own);
	if (!err && other)
		err = restorer_fail_at(task, other, "read pages", task->stage);
	return err;
}

/* A whole number of aligned blocks. -EAGAIN: to be read in place. */
static int move_blocks(struct mover *m, const struct wire_vma *vma, const struct wire_io *io, uint64_t start,
		       uint64_t end)
{
	struct wire_task *task = m->task;
	long got;

	while (start < end) {
		uint64_t len = MIN_OF(end - start, task->stage_len);
		struct uffdio_move move = { .dst = start, .src = task->stage, .len = len };
		int err;

		/* A fresh one each time: moved pages leave a hole that would be filled by small pages. */
		got = sys_mmap((void *)task->stage, task->stage_len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (got != (long)task->stage)
			return -EAGAIN;
		sys_madvise((void *)task->stage, task->stage_len, MADV_HUGEPAGE);
		/* Not registered while reading into the stage: a fault of ours must not wait for ourselves. */
		err = read_stage(m, io->fd, len, io->offset + (start - io->addr));
		if (!err && use_vma(m, vma))
			return -EAGAIN;
		if (err)
			return err;
		if (sys_ioctl(m->fd, UFFDIO_MOVE, (long)&move) || move.move != (int64_t)len) {
			unregister(m);
			/* Moved blocks are present; all of it is read again in place. */
			err = read_all(task, io->fd, start, len, io->offset + (start - io->addr));
			if (err)
				return err;
		}
		start += len;
	}
	return 0;
}

static bool may_be_huge(const struct wire_vma *vma)
{
	return (vma->status & VMA_ANON_PRIVATE) && !(vma->flags & (MAP_GROWSDOWN | MAP_HUGETLB)) &&
	       !(vma->madv & BIT(MADV_NOHUGEPAGE));
}

static int load_blocks(struct mover *m, const struct wire_vma *vma, const struct wire_io *io, uint64_t start,
		       uint64_t end)
{
	int err = m->fd >= 0 && !vma->staged ? move_blocks(m, vma, io, start, end) : -EAGAIN;

	unregister(m);
	return err == -EAGAIN ? gather_add(m, io->fd, start, end - start, io->offset + (start - io->addr)) : err;
}

/* Either the whole blocks in it that may become huge pages, or the rest. */
static int load_piece(struct mover *m, const struct wire_vma *vma, const struct wire_io *io, uint64_t start,
		      uint64_t end)
{
	uint64_t first = ROUND_UP(start, HUGE_PAGE_SZ), last = ROUND_DOWN(end, HUGE_PAGE_SZ);
	int err;

	if (!may_be_huge(vma) || first >= last)
		first = last = end;
	if (m->blocks)
		return first < last ? load_blocks(m, vma, io, first, last) : 0;
	err = gather_add(m, io->fd, start, first - start, io->offset + (start - io->addr));
	return err ? err : gather_add(m, io->fd, last, end - last, io->offset + (last - io->addr));
}

static int load_pieces(struct mover *m, bool blocks)
{
	struct wire_task *task = m->task;
	const struct wire_io *io = (void *)task->ios;
	const struct wire_vma *v = (void *)task->vmas, *vmas_end = v + task->nr_vmas;
	int err = 0;

	m->blocks = blocks;
	for (uint64_t i = 0; !err && i < task->nr_ios; i++) {
		uint64_t at = io[i].addr, end = at + io[i].len;

		while (!err && at < end) {
			while (v < vmas_end && (v->end <= at || (v->status & VMA_GUARD)))
				v++;
			if (v == vmas_end)
				return restorer_fail_at(task, -EBADMSG, "pages without a mapping", at);
			err = load_piece(m, v, &io[i], at, MIN_OF(end, v->end));
			at = MIN_OF(end, v->end);
		}
	}
	return err ? err : gather_read(m);
}

/* Where only some pages of a block are present, a huge page would use memory that the task did not use before. */
static int load_small(struct mover *m)
{
	long was = sys_prctl(GET_THP_DISABLE, 0, 0, 0, 0);
	int err;

	if (!was)
		sys_prctl(SET_THP_DISABLE, 1, 0, 0, 0);
	err = load_pieces(m, false);
	if (!was)
		sys_prctl(SET_THP_DISABLE, 0, 0, 0, 0);
	return err;
}

int pages_load(struct wire_task *task)
{
	const struct wire_io *io = (void *)task->ios;
	struct restorer_counts *counts = (void *)task->counts;
	struct mover m;
	uint64_t pages = 0;
	int err = 0;

	for (uint64_t i = 0; i < task->nr_ios; i++)
		pages += io[i].len / PAGE_SZ;
	mover_open(&m, task);
	atomic_fetch_add(&counts->helpers, 1);
	reader_open(&m.reader, m.fd >= 0 ? task->reader_tid : 0, task->pid_levels);
	if (has_blocks(task))
		err = load_pieces(&m, true);
	if (!err)
		err = load_small(&m);
	report_restored(task, pages);
	reader_close(&m.reader);
	atomic_fetch_sub(&counts->helpers, 1);
	unregister(&m);
	if (m.fd >= 0) {
		sys_close(m.fd);
		sys_munmap((void *)task->stage, task->stage_len);
	}
	return err;
}
