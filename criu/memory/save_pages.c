/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of private memory: target -> buffer -> page cache, by two threads: while one writes (the kernel lets one write
 * to a file at a time), the other reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "image/pagemap.h"
#include "memory/memory.h"
#include "memory/snapshot.h"
#include "pie/vma.h"
#include "run/progress.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"

#define BUFFER_SIZE (512ul << 10)
#define MAX_PIECES 512
/* Less is copied before a thread has started. */
#define WORTH_A_THREAD (4ul << 20)

ARRAY_OF(piece_array, struct iovec);

/* Pieces of the target that are read by one call, and lie one behind the other in the pages image. */
struct job {
	size_t first; /* of the pieces */
	int n;
	uint64_t len, offset;
	bool by_mem; /* all of it comes through /proc/PID/mem */
	const char *aside; /* is here already */
};

ARRAY_OF(job_array, struct job);

/* Read-only while threads work, but for @next. */
struct copying {
	struct dump *dump;
	struct dump_task *dt;
	struct piece_array pieces;
	struct job_array jobs;
	atomic_size_t next; /* job that nobody has taken */
	atomic_int failed;
	atomic_ulong read_us, write_us;
	int pages_fd, mem_fd;
	uint64_t offset; /* where the next piece goes */
	size_t next_vma; /* of dt->vma_flags */
};

/* What process_vm_readv may not read (no PROT_READ) the tracer reads through /proc/PID/mem. */
static int read_by_mem(const struct copying *c, const struct job *job, char *to)
{
	for (int i = 0; i < job->n; i++) {
		const struct iovec *piece = &c->pieces.v[job->first + i];
		int err = pread_exact(c->mem_fd, to, piece->iov_len, (off_t)(uintptr_t)piece->iov_base);

		if (err < 0)
			return fail(err, "read memory at %p", piece->iov_base);
		to += piece->iov_len;
	}
	return 0;
}

static int copy_job(struct copying *c, const struct job *job, char *buffer)
{
	struct iovec local = { buffer, job->len };
	const char *from = job->aside ? job->aside : buffer;
	uint64_t start = stats_now(), read_done;
	ssize_t got = 0;
	int err = 0;

	if (!job->aside && !job->by_mem)
		got = process_vm_readv(c->dt->t.host_pid, &local, 1, &c->pieces.v[job->first], job->n, 0);
	if (!job->aside && got != (ssize_t)job->len)
		err = read_by_mem(c, job, buffer);
	if (err)
		return err;
	read_done = stats_now();
	err = pwrite_full(c->pages_fd, from, job->len, job->offset);
	if (err < 0)
		return fail(err, "write the pages image");
	atomic_fetch_add(&c->read_us, read_done - start);
	atomic_fetch_add(&c->write_us, stats_now() - read_done);
	progress_add(c->dump->opts->progress, job->len);
	return 0;
}

static void *work(void *arg)
{
	struct copying *c = arg;
	char *buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;
	int err = buffer == MAP_FAILED ? fail(-errno, "buffer for pages") : 0;

	while (!err && !atomic_load(&c->failed) && (at = atomic_fetch_add(&c->next, 1)) < c->jobs.n)
		err = copy_job(c, &c->jobs.v[at], buffer);
	if (err)
		atomic_store(&c->failed, err);
	if (buffer != MAP_FAILED)
		munmap(buffer, BUFFER_SIZE);
	return NULL;
}

/* Where there is no second thread to be had it goes by one. */
static int work_all(struct copying *c)
{
	pthread_t other;
	bool two = c->offset >= WORTH_A_THREAD && !pthread_create(&other, NULL, work, c);

	work(c);
	if (two)
		pthread_join(other, NULL);
	return atomic_load(&c->failed);
}

static int add_aside(struct copying *c, uint64_t len)
{
	struct snapshot *snap = c->dt->snapshot;
	struct job job = { .len = len, .offset = c->offset, .aside = snap->aside + snap->aside_next };

	if (len > snap->aside_len - snap->aside_next)
		return fail(-EIO, "pages that were put aside are gone");
	snap->aside_next += len;
	c->offset += len;
	return array_add(&c->jobs, job) ? fail(-ENOMEM, "list of pages") : 0;
}

static int add_range(struct copying *c, uint64_t start, uint64_t end, bool by_mem)
{
	while (start < end) {
		struct job *job = c->jobs.n ? &c->jobs.v[c->jobs.n - 1] : NULL;
		struct iovec piece = { (void *)(uintptr_t)start, 0 };

		if (!job || job->aside || job->by_mem != by_mem || job->len == BUFFER_SIZE || job->n == MAX_PIECES) {
			struct job next = { .first = c->pieces.n, .offset = c->offset, .by_mem = by_mem };

			if (array_add(&c->jobs, next))
				return fail(-ENOMEM, "list of pages");
			job = &c->jobs.v[c->jobs.n - 1];
		}
		piece.iov_len = MIN_OF(end - start, BUFFER_SIZE - job->len);
		if (array_add(&c->pieces, piece))
			return fail(-ENOMEM, "list of pages");
		job->n++;
		job->len += piece.iov_len;
		c->offset += piece.iov_len;
		start += piece.iov_len;
	}
	return 0;
}

static uint32_t run_flags(const VmaEntry *vma)
{
	bool lazy = (vma->status & VMA_ANON_PRIVATE) && !(vma->status & VMA_VDSO);

	return PAGEMAP_PRESENT | (lazy ? PAGEMAP_LAZY : 0);
}

typedef int (*range_fn)(struct dump *, void *arg, const VmaEntry *vma, uint64_t start, uint64_t end);

/* Every range of private pages, in rising order: regions of the scan cut at the borders of VMAs. */
static int for_each_range(struct dump *dump, struct dump_task *dt, const MmEntry *mm, range_fn fn, void *arg)
{
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		/* The pages of an AIO ring are a file's for the scan. */
		if (vma->status & (VMA_VDSO | VMA_AIO_RING)) {
			err = fn(dump, arg, vma, vma->start, vma->end);
			continue;
		}
		while (next < dt->pages.n && dt->pages.v[next].end <= vma->start)
			next++;
		if (!vma_has_private_pages(vma->status) || vma_is_droppable(vma->flags))
			continue;
		for (size_t j = next; !err && j < dt->pages.n && dt->pages.v[j].start < vma->end; j++)
			err = fn(dump, arg, vma, MAX_OF(dt->pages.v[j].start, vma->start),
				 MIN_OF(dt->pages.v[j].end, vma->end));
	}
	return err;
}

static int add_run(struct dump *dump, void *arg, const VmaEntry *vma, uint64_t start, uint64_t end)
{
	uint64_t pages = (end - start) / PAGE_SZ;
	int err = pagemap_add(arg, start, pages, run_flags(vma));

	dump->stats.dump.pages_scanned += pages;
	dump->stats.dump.pages_written += pages;
	if (run_flags(vma) & PAGEMAP_LAZY)
		dump->stats.dump.pages_lazy += pages;
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/*
 * process_vm_readv pins the pages that it reads, and pinning gives the target a copy of its own of every page that it
 * shares by copy-on-write (gup_must_unshare in mm/gup.c, Linux 5.19): a tree of forks would grow while it is dumped.
 * /proc/PID/mem only reads, at half the speed.
 */
static bool has_shared_pages(struct copying *c, const VmaEntry *vma)
{
	const struct vma_flags_array *flags = &c->dt->vma_flags;
	const struct vma_flags *f;

	if (c->dt->snapshot)
		return true;
	while (c->next_vma < flags->n && flags->v[c->next_vma].end <= vma->start)
		c->next_vma++;
	if (c->next_vma == flags->n)
		return true;
	f = &flags->v[c->next_vma];
	/* Huge pages of hugetlbfs are counted in neither. */
	return f->pss_kb != f->rss_kb || f->swap_kb || (vma->flags & MAP_HUGETLB);
}

static int add_job(struct dump *dump, void *arg, const VmaEntry *vma, uint64_t start, uint64_t end)
{
	struct copying *c = arg;

	if (c->dt->snapshot && snapshot_lacks(vma))
		return add_aside(c, end - start);
	return add_range(c, start, end, has_shared_pages(c, vma));
}

static int write_pages(struct dump *dump, struct dump_task *dt, const MmEntry *mm, const struct image_extent *pages)
{
	struct copying c = { .dump = dump, .dt = dt, .pages_fd = pages->fd, .offset = pages->base };
	_cleanup_close_ int mem = -1;
	int err;

	mem = dt->snapshot ? dup_fd_above(dt->snapshot->mem, 3) : open_at(dt->proc.dir, "mem", O_RDONLY, 0);
	if (mem < 0)
		return fail(mem, "open /proc/%d/mem", dt->t.host_pid);
	c.mem_fd = mem;
	err = for_each_range(dump, dt, mm, add_job, &c);
	if (!err)
		err = work_all(&c);
	array_free(&c.pieces);
	array_free(&c.jobs);
	dump->stats.dump.memdump_time += c.read_us;
	dump->stats.dump.memwrite_time += c.write_us;
	return err;
}

int memory_save_pages(struct dump *dump, struct dump_task *dt, const MmEntry *mm)
{
	_cleanup_pagemap_writer_ struct pagemap_writer *map = NULL;
	_cleanup_close_ int pages_fd = -1;
	struct image_extent pages;
	uint64_t bytes;
	int err = pagemap_create(dump->dir, IMAGE_PAGEMAP, dt->t.pid, &map, &pages);

	if (err < 0)
		return fail(err, "%s", image_store_error(dump->dir));
	pages_fd = pages.fd;
	err = for_each_range(dump, dt, mm, add_run, map);
	if (err)
		return err;
	bytes = pagemap_bytes(map);
	progress_expect(dump->opts->progress, bytes);
	/* Room all at once: cheaper than piece by piece, and a full disk is known before the copying. */
	if (bytes > BUFFER_SIZE && fallocate(pages_fd, 0, pages.base, bytes) < 0 && errno != EOPNOTSUPP)
		return fail(-errno, "room for %lu bytes of memory in the images directory", bytes);
	err = write_pages(dump, dt, mm, &pages);
	memory_drop_snapshot(dt);
	if (err)
		return err;
	err = pagemap_close(steal_ptr(&map));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}
