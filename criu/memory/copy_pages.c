/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages: target -> buffer -> sink, by two threads: while one writes (the kernel serializes writes to a file), the other
 * reads.
 */
#include "memory/copy_pages.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "memory/shared_pages.h"
#include "run/progress.h"
#include "util/fds.h"
#include "util/log.h"

#define BUFFER_SIZE (512ul << 10)
#define MAX_PIECES 512
#define PAGE_TRIES 3
/* Less is copied before a thread has started. */
#define WORTH_A_THREAD (4ul << 20)

/* Ranges of the target that are read by one call, and are one batch for the sink. */
struct page_job {
	size_t first; /* index of the first range */
	int n;
	uint64_t len, offset;
	bool by_fd, drops_zeros, drops_all_or_nothing; /* for all ranges */
	bool zeros_are_lazy; /* those that are dropped */
	const void *ready; /* is in our memory already */
};

ARRAY_OF(zero_ranges, struct iovec);

/* What a thread keeps from job to job. */
struct worker {
	char **buffer;
	struct zero_ranges zeros; /* of the current job */
};

/*
 * A page that is gone, or of which the kernel has lost the content, was unmapped, dropped (MADV_DONTNEED, a truncated file), or its
 * memory has ended (exit, execve). In none of these cases does it count as unchanged next time: a page that comes in its place is a new
 * one. Any other page must be readable.
 */
static int read_page(const struct page_origin *from, uint64_t at, char *to)
{
	uint64_t entry = 0;
	int err = pread_exact(from->fd, to, PAGE_SZ, (off_t)at);

	for (int tries = 0; err && tries < PAGE_TRIES; tries++) {
		if (page_scan_entries(from->running, at, 1, &entry) || !pm_has_content(entry)) {
			memset(to, 0, PAGE_SZ);
			return 0;
		}
		err = pread_exact(from->fd, to, PAGE_SZ, (off_t)at);
	}
	return err;
}

static int read_from_running(const struct page_origin *from, uint64_t at, char *to, uint64_t len)
{
	int err = pread_exact(from->fd, to, len, (off_t)at);

	for (uint64_t done = 0; err && done < len; done += PAGE_SZ) {
		int failed = read_page(from, at + done, to + done);

		if (failed)
			return failed;
		if (done + PAGE_SZ == len)
			err = 0;
	}
	return err;
}

/* What process_vm_readv cannot read (no PROT_READ) the tracer reads through /proc/PID/mem. */
static int read_by_fd(const struct page_copy *c, const struct page_job *job, char *to)
{
	for (int i = 0; i < job->n; i++) {
		const struct iovec *piece = &c->pieces.v[job->first + i];
		uint64_t at = (uintptr_t)piece->iov_base, len = piece->iov_len;
		uint64_t have = at < c->from.size ? MIN_OF(len, c->from.size - at) : 0;
		int err = c->from.running ? read_from_running(&c->from, at, to, have) :
					    pread_exact(c->from.fd, to, have, (off_t)at);

		if (err < 0)
			return fail(err, "read %s at %p", c->from.name, piece->iov_base);
		memset(to + have, 0, len - have);
		to += len;
	}
	return 0;
}

static bool is_zero(const char *at, size_t len)
{
	static const uint64_t zero;

	return !memcmp(at, &zero, sizeof(zero)) && !memcmp(at, at + sizeof(zero), len - sizeof(zero));
}

static int add_zero_page(struct zero_ranges *zeros, char *page)
{
	struct iovec *last = zeros->n ? &zeros->v[zeros->n - 1] : NULL;
	struct iovec one = { page, PAGE_SZ };

	if (!last || (char *)last->iov_base + last->iov_len != page)
		return array_add(zeros, one) ? fail(-ENOMEM, "list of zero pages") : 0;
	last->iov_len += PAGE_SZ;
	return 0;
}

/* Moves the other pages together. Returns the length that is left, or a negative errno. */
static ssize_t drop_zeros(const struct page_copy *c, const struct page_job *job, struct worker *w)
{
	char *from = *w->buffer, *to = from;

	for (int i = 0; i < job->n; i++) {
		const struct iovec *piece = &c->pieces.v[job->first + i];

		for (size_t at = 0; at < piece->iov_len; at += PAGE_SZ, from += PAGE_SZ) {
			int err = 0;

			if (is_zero(from, PAGE_SZ)) {
				err = add_zero_page(&w->zeros, (char *)piece->iov_base + at);
			} else {
				if (to != from)
					memcpy(to, from, PAGE_SZ);
				to += PAGE_SZ;
			}
			if (err)
				return err;
		}
	}
	return to - *w->buffer;
}

static int report_zeros(struct page_copy *c, const struct zero_ranges *zeros, bool lazy)
{
	int err = 0;

	for (size_t i = 0; !err && i < zeros->n; i++) {
		uint64_t start = (uintptr_t)zeros->v[i].iov_base, len = zeros->v[i].iov_len;

		err = c->sink->ops->add_zeros(c->sink, start, start + len);
		c->zero_bytes += len;
		c->lazy_zero_bytes += lazy ? len : 0;
	}
	return err;
}

/* The offset of a batch is known when all before it have been searched for zeros. */
static int place_batch(struct page_copy *c, const struct worker *w, struct page_batch *batch)
{
	int err = turns_wait(&c->placing, batch->index);

	if (!err)
		err = report_zeros(c, &w->zeros, c->jobs.v[batch->index].zeros_are_lazy);
	if (err)
		return err;
	batch->offset = c->placed_bytes;
	c->placed_bytes += batch->len;
	turns_end(&c->placing);
	return 0;
}

static int read_job(struct page_copy *c, const struct page_job *job, char *buffer)
{
	const struct iovec *pieces = &c->pieces.v[job->first];
	const bool by_fd = job->by_fd || (c->from.shared && shared_pages_are_in(c->from.shared, pieces, job->n,
										job->drops_all_or_nothing));
	struct iovec local = { buffer, job->len };

	if (!by_fd && process_vm_readv(c->from.pid, &local, 1, pieces, job->n, 0) == (ssize_t)job->len)
		return 0;
	return read_by_fd(c, job, buffer);
}

static int read_batch(struct page_copy *c, struct page_batch *batch, struct worker *w)
{
	const struct page_job *job = &c->jobs.v[batch->index];
	ssize_t left = (ssize_t)job->len;
	int err = 0;

	w->zeros.n = 0;
	batch->data = job->ready ? job->ready : *w->buffer;
	if (!job->ready)
		err = read_job(c, job, *w->buffer);
	if (err)
		return err;
	if (c->sink->ops->add_zeros && job->drops_zeros &&
	    (!job->drops_all_or_nothing || is_zero(batch->data, job->len)))
		left = drop_zeros(c, job, w);
	if (left < 0)
		return (int)left;
	batch->len = left;
	batch->offset = job->offset;
	return c->sink->ops->add_zeros ? place_batch(c, w, batch) : 0;
}

static int copy_job(struct page_copy *c, size_t at, struct worker *w)
{
	struct page_batch batch = { .index = at };
	uint64_t start = stats_now(), read_done;
	int err = read_batch(c, &batch, w);

	if (err)
		return err;
	read_done = stats_now();
	err = c->sink->ops->write(c->sink, &batch);
	if (err)
		return err;
	atomic_fetch_add(&c->read_us, read_done - start);
	atomic_fetch_add(&c->write_us, stats_now() - read_done);
	progress_add(c->progress, c->jobs.v[at].len);
	return 0;
}

/* The first error is the reason; a thread that is woken by it has another one. */
static void give_up(struct page_copy *c, int err)
{
	int none = 0;

	atomic_compare_exchange_strong(&c->failed, &none, err);
	turns_give_up(&c->placing);
	if (c->sink->ops->give_up)
		c->sink->ops->give_up(c->sink);
}

void page_buffer_free(char **buffer)
{
	if (*buffer)
		munmap(*buffer, BUFFER_SIZE);
	*buffer = NULL;
}

/* New pages for a buffer would take longer than copying a small process. */
static void copy_all(struct page_copy *c, char **buffer)
{
	struct worker w = { .buffer = buffer };
	size_t at;
	int err = 0;

	if (!*buffer) {
		char *made = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		err = made == MAP_FAILED ? fail(-errno, "buffer for pages") : 0;
		*buffer = err ? NULL : made;
	}
	while (!err && !atomic_load(&c->failed) && (at = atomic_fetch_add(&c->next, 1)) < c->jobs.n) {
		err = copy_job(c, at, &w);
		if (c->between && buffer == c->buffer)
			c->between(c->between_arg);
	}
	array_free(&w.zeros);
	if (err)
		give_up(c, err);
}

static void *work(void *arg)
{
	char *buffer = NULL;

	copy_all(arg, &buffer);
	page_buffer_free(&buffer);
	return NULL;
}

/* If no second thread can be created, one does it all. */
int page_copy_run(struct page_copy *c)
{
	pthread_t other;
	bool two;
	int err;

	progress_expect(c->progress, c->bytes);
	err = c->sink->ops->begin(c->sink, c->bytes);
	if (err)
		return err;
	two = c->bytes >= WORTH_A_THREAD && !pthread_create(&other, NULL, work, c);
	if (c->buffer)
		copy_all(c, c->buffer);
	else
		work(c);
	if (two)
		pthread_join(other, NULL);
	return atomic_load(&c->failed);
}

int page_copy_add_ready(struct page_copy *c, const void *data, uint64_t len)
{
	struct page_job job = { .len = len, .offset = c->bytes, .ready = data };

	c->bytes += len;
	return array_add(&c->jobs, job) ? fail(-ENOMEM, "list of pages") : 0;
}

static struct page_job *job_with_room(struct page_copy *c, const struct page_run *run, bool by_fd)
{
	struct page_job *job = c->jobs.n ? &c->jobs.v[c->jobs.n - 1] : NULL;
	struct page_job next = {
		.first = c->pieces.n,
		.offset = c->bytes,
		.by_fd = by_fd,
		.drops_zeros = run->empty_is_zero,
		.drops_all_or_nothing = run->in_huge_pages,
		.zeros_are_lazy = run->empty_is_zero && run->may_be_lazy,
	};

	if (job && !job->ready && job->by_fd == by_fd && job->drops_zeros == next.drops_zeros &&
	    job->drops_all_or_nothing == next.drops_all_or_nothing && job->zeros_are_lazy == next.zeros_are_lazy &&
	    job->len < BUFFER_SIZE && job->n < MAX_PIECES)
		return job;
	return array_add(&c->jobs, next) ? NULL : &c->jobs.v[c->jobs.n - 1];
}

int page_copy_add(struct page_copy *c, const struct page_run *run, bool by_fd)
{
	for (uint64_t at = run->start; at < run->end;) {
		struct page_job *job = job_with_room(c, run, by_fd);
		struct iovec piece = { (void *)(uintptr_t)at, 0 };

		if (!job)
			return fail(-ENOMEM, "list of pages");
		piece.iov_len = MIN_OF(run->end - at, BUFFER_SIZE - job->len);
		if (array_add(&c->pieces, piece))
			return fail(-ENOMEM, "list of pages");
		job->n++;
		job->len += piece.iov_len;
		c->bytes += piece.iov_len;
		at += piece.iov_len;
	}
	return 0;
}

void page_copy_free(struct page_copy *c)
{
	array_free(&c->pieces);
	array_free(&c->jobs);
}
