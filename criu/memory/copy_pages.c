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
#include "run/progress.h"
#include "util/fds.h"
#include "util/log.h"

#define BUFFER_SIZE (512ul << 10)
#define MAX_PIECES 512
/* Less is copied before a thread has started. */
#define WORTH_A_THREAD (4ul << 20)

/* Ranges of the target that are read by one call, and are one batch for the sink. */
struct page_job {
	size_t first; /* index of the first range */
	int n;
	uint64_t len, offset;
	bool by_fd; /* for all ranges */
	const void *ready; /* is in our memory already */
};

/* What process_vm_readv cannot read (no PROT_READ) the tracer reads through /proc/PID/mem. */
static int read_by_fd(const struct page_copy *c, const struct page_job *job, char *to)
{
	for (int i = 0; i < job->n; i++) {
		const struct iovec *piece = &c->pieces.v[job->first + i];
		uint64_t at = (uintptr_t)piece->iov_base, len = piece->iov_len;
		uint64_t have = at < c->from.size ? MIN_OF(len, c->from.size - at) : 0;
		int err = pread_exact(c->from.fd, to, have, (off_t)at);

		if (err < 0)
			return fail(err, "read %s at %p", c->from.name, piece->iov_base);
		memset(to + have, 0, len - have);
		to += len;
	}
	return 0;
}

static int copy_job(struct page_copy *c, size_t at, char *buffer)
{
	const struct page_job *job = &c->jobs.v[at];
	struct page_batch batch = { .index = at, .offset = job->offset, .len = job->len, .data = buffer };
	struct iovec local = { buffer, job->len };
	uint64_t start = stats_now(), read_done;
	ssize_t got = 0;
	int err = 0;

	if (job->ready)
		batch.data = job->ready;
	else if (!job->by_fd)
		got = process_vm_readv(c->from.pid, &local, 1, &c->pieces.v[job->first], job->n, 0);
	if (!job->ready && got != (ssize_t)job->len)
		err = read_by_fd(c, job, buffer);
	if (err)
		return err;
	read_done = stats_now();
	err = c->sink->ops->write(c->sink, &batch);
	if (err)
		return err;
	atomic_fetch_add(&c->read_us, read_done - start);
	atomic_fetch_add(&c->write_us, stats_now() - read_done);
	progress_add(c->progress, job->len);
	return 0;
}

static void give_up(struct page_copy *c, int err)
{
	atomic_store(&c->failed, err);
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
	size_t at;
	int err = 0;

	if (!*buffer) {
		char *made = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		err = made == MAP_FAILED ? fail(-errno, "buffer for pages") : 0;
		*buffer = err ? NULL : made;
	}
	while (!err && !atomic_load(&c->failed) && (at = atomic_fetch_add(&c->next, 1)) < c->jobs.n) {
		err = copy_job(c, at, *buffer);
		if (c->between && buffer == c->buffer)
			c->between(c->between_arg);
	}
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

static struct page_job *job_with_room(struct page_copy *c, bool by_fd)
{
	struct page_job *job = c->jobs.n ? &c->jobs.v[c->jobs.n - 1] : NULL;
	struct page_job next = { .first = c->pieces.n, .offset = c->bytes, .by_fd = by_fd };

	if (job && !job->ready && job->by_fd == by_fd && job->len < BUFFER_SIZE && job->n < MAX_PIECES)
		return job;
	return array_add(&c->jobs, next) ? NULL : &c->jobs.v[c->jobs.n - 1];
}

int page_copy_add(struct page_copy *c, const struct page_run *run, bool by_fd)
{
	for (uint64_t at = run->start; at < run->end;) {
		struct page_job *job = job_with_room(c, by_fd);
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
