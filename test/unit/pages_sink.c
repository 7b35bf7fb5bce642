/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages on their way to a sink: how each outcome is recorded in images, and that a sink gets all content, in a defined
 * order.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "image/dir.h"
#include "image/pagemap.h"
#include "image/stream.h"
#include "image_helper.h"
#include "memory/block_reader.h"
#include "memory/copy_pages.h"
#include "memory/kept_runs.h"
#include "run/dump.h"
#include "util/log.h"

#define PAGE(n) ((n)*PAGE_SZ)
#define RUN(from, to, what, lazy)                                                      \
	{                                                                              \
		.start = (from), .end = (to), .outcome = (what), .may_be_lazy = (lazy) \
	}

/* ---- the images directory ---- */

typedef int (*sink_fn)(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);

static const char *write_runs(sink_fn open, const char *path, const struct page_run *runs, size_t n, char mark)
{
	struct options opts = { 0 };
	struct dump dump = { .opts = &opts };
	struct page_batch batch = { 0 };
	struct page_sink *sink;
	char page[PAGE_SZ];

	EXPECT(!image_dir_open(path, &dump.dir) && !image_store_begin(dump.dir));
	EXPECT(!open(&dump, IMAGE_PAGEMAP, 7, &sink));
	for (size_t i = 0; i < n; i++) {
		EXPECT(!sink->ops->add_run(sink, &runs[i]));
		batch.len += page_run_has_content(&runs[i]) ? runs[i].end - runs[i].start : 0;
	}
	EXPECT(!sink->ops->begin(sink, batch.len));
	for (size_t n_batches = batch.len / PAGE_SZ, i = 0; i < n_batches; i++) {
		/* The last one first, where each has its own offset. */
		size_t at = batch.index = open == image_sink_open ? n_batches - 1 - i : i;
		struct page_batch one = { at, PAGE(at), PAGE_SZ, page };

		memset(page, mark + (char)batch.index, sizeof(page));
		EXPECT(!sink->ops->write(sink, &one));
	}
	EXPECT(!sink->ops->finish(sink) && !image_store_commit(dump.dir));
	image_store_close(dump.dir);
	return NULL;
}

static char first_byte(const struct pagemap *map, const struct pagemap_run *run)
{
	char byte = 0;

	return pread(pagemap_source(map, run), &byte, 1, (off_t)run->offset) == 1 ? byte : 0;
}

static const char *outcomes_with(sink_fn open)
{
	static const struct page_run before[] = { RUN(PAGE(10), PAGE(12), PAGES_WRITE, true) };
	static const struct page_run runs[] = {
		RUN(PAGE(10), PAGE(11), PAGES_PARENT, true), RUN(PAGE(11), PAGE(12), PAGES_WRITE, true),
		RUN(PAGE(12), PAGE(13), PAGES_ZERO, true),   RUN(PAGE(13), PAGE(14), PAGES_SKIP, true),
		RUN(PAGE(14), PAGE(15), PAGES_WRITE, false),
	};
	_cleanup_scratch_ char *parent = scratch_create();
	_cleanup_scratch_ char *child = scratch_create();
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct image_store *dir;
	char link[4096];
	const char *why = write_runs(open, parent, before, ARRAY_SIZE(before), 'a');

	if (!why)
		why = write_runs(open, child, runs, ARRAY_SIZE(runs), 'p');
	if (why)
		return why;
	snprintf(link, sizeof(link), "%s/parent", child);
	EXPECT(!symlink(parent, link));
	EXPECT(!image_dir_open(child, &dir) && !pagemap_load(dir, IMAGE_PAGEMAP, 7, &map));
	EXPECT(map->nr_runs == 3 && map->runs[0].vaddr == PAGE(10) && map->runs[0].source == 1);
	EXPECT(map->runs[1].vaddr == PAGE(11) && map->runs[1].flags == (PAGEMAP_PRESENT | PAGEMAP_LAZY));
	EXPECT(map->runs[2].vaddr == PAGE(14) && map->runs[2].flags == PAGEMAP_PRESENT);
	EXPECT(first_byte(map, &map->runs[0]) == 'a' && first_byte(map, &map->runs[1]) == 'p');
	EXPECT(first_byte(map, &map->runs[2]) == 'q');
	image_store_close(dir);
	return NULL;
}

/* Pages of another process, of both ways to restore it, and of two processes. */
static const char *same_with(sink_fn open)
{
	struct page_run runs[] = {
		RUN(PAGE(10), PAGE(11), PAGES_WRITE, true), RUN(PAGE(11), PAGE(13), PAGES_SAME, true),
		RUN(PAGE(13), PAGE(14), PAGES_SAME, true),  RUN(PAGE(14), PAGE(15), PAGES_SAME, false),
		RUN(PAGE(15), PAGE(16), PAGES_SAME, false), RUN(PAGE(16), PAGE(17), PAGES_PARENT, false),
	};
	static const struct {
		uint64_t page, nr;
		uint32_t flags, process;
	} want[] = { { 10, 1, PAGEMAP_PRESENT | PAGEMAP_LAZY, 0 },
		     { 11, 3, PAGEMAP_PARENT | PAGEMAP_LAZY, 8 },
		     { 14, 1, PAGEMAP_PARENT, 8 },
		     { 15, 1, PAGEMAP_PARENT, 9 },
		     { 16, 1, PAGEMAP_PARENT, 0 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct image_store *dir;
	const char *why;

	runs[1].same_as = runs[2].same_as = runs[3].same_as = 8;
	runs[4].same_as = 9;
	why = write_runs(open, path, runs, ARRAY_SIZE(runs), 'a');
	if (why)
		return why;
	EXPECT(!image_dir_open(path, &dir) && !pagemap_load_own(dir, IMAGE_PAGEMAP, 7, &map));
	EXPECT(map->nr_runs == ARRAY_SIZE(want));
	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];

		if (run->vaddr != PAGE(want[i].page) || run->nr_pages != want[i].nr || run->flags != want[i].flags ||
		    run->of_process != want[i].process)
			return because("run %zu: %lx, %lu pages, flags %x, of %u", i, run->vaddr, run->nr_pages,
				       run->flags, run->of_process);
	}
	image_store_close(dir);
	return NULL;
}

static const char *same_in_images(void)
{
	return same_with(image_sink_open);
}

static const char *same_in_order(void)
{
	return same_with(ordered_sink_open);
}

static const char *outcomes_in_images(void)
{
	const char *why = outcomes_with(image_sink_open);

	return why ? why : outcomes_with(ordered_sink_open);
}

/* Zeros at both ends of runs, in the middle, across a border, and all of a run. */
static const struct page_run with_zeros[] = {
	RUN(PAGE(10), PAGE(20), PAGES_WRITE, true),  RUN(PAGE(20), PAGE(24), PAGES_WRITE, false),
	RUN(PAGE(30), PAGE(34), PAGES_WRITE, false), RUN(PAGE(34), PAGE(35), PAGES_SKIP, false),
	RUN(PAGE(40), PAGE(44), PAGES_WRITE, false),
};
static const uint64_t zeros[][2] = { { 10, 12 }, { 15, 16 }, { 18, 21 }, { 30, 34 }, { 43, 44 } };

static const char *zeros_in_images_with(sink_fn open)
{
	static const uint64_t left[][2] = { { 12, 15 }, { 16, 18 }, { 21, 24 }, { 40, 43 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct page_batch batch = { .len = PAGE(11) };
	static char pages[PAGE(11)];
	struct options opts = { 0 };
	struct dump dump = { .opts = &opts };
	struct page_sink *sink;
	struct stat st;
	char next = 0;

	EXPECT(!image_dir_open(path, &dump.dir) && !image_store_begin(dump.dir));
	EXPECT(!open(&dump, IMAGE_PAGEMAP, 7, &sink));
	for (size_t i = 0; i < ARRAY_SIZE(with_zeros); i++)
		EXPECT(!sink->ops->add_run(sink, &with_zeros[i]));
	EXPECT(!sink->ops->begin(sink, PAGE(256)));
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		EXPECT(!sink->ops->add_zeros(sink, PAGE(zeros[i][0]), PAGE(zeros[i][1])));
	for (size_t i = 0; i < sizeof(pages); i++)
		pages[i] = (char)(i / PAGE_SZ);
	batch.data = pages;
	EXPECT(!sink->ops->write(sink, &batch) && !sink->ops->finish(sink) && !image_store_commit(dump.dir));
	EXPECT(!pagemap_load(dump.dir, IMAGE_PAGEMAP, 7, &map) && map->nr_runs == ARRAY_SIZE(left));
	EXPECT(!fstat(pagemap_source(map, &map->runs[0]), &st) && st.st_size == sizeof(pages));
	for (size_t i = 0; i < map->nr_runs; i++) {
		EXPECT(map->runs[i].vaddr == PAGE(left[i][0]) && map->runs[i].nr_pages == left[i][1] - left[i][0]);
		EXPECT(first_byte(map, &map->runs[i]) == next);
		next += (char)map->runs[i].nr_pages;
	}
	image_store_close(dump.dir);
	return NULL;
}

static const char *zeros_in_images(void)
{
	const char *why = zeros_in_images_with(image_sink_open);

	return why ? why : zeros_in_images_with(ordered_sink_open);
}

/* Batches of two pages, each with the zeros before it, and those of the next one already there, or not. */
static const char *parts_of_runs(void)
{
	static const uint64_t parts[][2] = { { 12, 14 }, { 14, 15 }, { 16, 17 }, { 17, 18 }, { 21, 22 },
					     { 22, 24 }, { 34, 35 }, { 40, 42 }, { 42, 43 } };
	static const size_t zeros_before[] = { 1, 2, 2, 3, 3, 3, 4, 4, 5 };

	for (size_t ahead = 0; ahead < 3; ahead++) {
		struct kept_runs k = { 0 };
		struct page_run got;
		uint64_t left = 0;

		for (size_t i = 0; i < ARRAY_SIZE(with_zeros); i++)
			EXPECT(!kept_runs_add(&k, &with_zeros[i]));
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			left = left ? left : PAGE(2);
			while (k.zeros.n < MIN_OF(zeros_before[i] + ahead, ARRAY_SIZE(zeros)))
				EXPECT(!kept_runs_add_zeros(&k, PAGE(zeros[k.zeros.n][0]), PAGE(zeros[k.zeros.n][1])));
			EXPECT(kept_runs_next(&k, left, &got));
			if (got.start != PAGE(parts[i][0]) || got.end != PAGE(parts[i][1]))
				return because("part %zu: %lu-%lu", i, got.start / PAGE_SZ, got.end / PAGE_SZ);
			left -= page_run_has_content(&got) ? got.end - got.start : 0;
			EXPECT(i || !kept_runs_next(&k, 0, &got));
		}
		EXPECT(!kept_runs_next(&k, UINT64_MAX, &got));
		kept_runs_free(&k);
	}
	return NULL;
}

/* ---- a sink that writes a stream ---- */

struct stream {
	struct page_sink sink;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t next;
	uint64_t len, capacity;
	char *data;
	int fail_at, waiting;
	bool begun, over;
	uint64_t from, zeros_upto, zeros;
	char is_zero[64 << 10]; /* by page */
	bool zeros_fail;
};

static int take(struct page_sink *sink, const struct page_batch *batch)
{
	struct stream *s = container_of(sink, struct stream, sink);
	bool fails = (int)batch->index == s->fail_at;
	int err = 0;

	pthread_mutex_lock(&s->lock);
	s->waiting++;
	pthread_cond_broadcast(&s->moved);
	/* The failing thread does so while the other one waits for it. */
	while (fails ? s->waiting < 2 || s->next != batch->index : !s->over && s->next != batch->index)
		pthread_cond_wait(&s->moved, &s->lock);
	s->waiting--;
	if (fails || s->over)
		err = fails ? -EPIPE : -ECANCELED;
	if (!err && (!s->begun || batch->offset != s->len || batch->len > s->capacity - s->len))
		err = -EINVAL;
	if (!err) {
		memcpy(s->data + s->len, batch->data, batch->len);
		s->len += batch->len;
		s->next++;
	}
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return err;
}

static void wake(struct page_sink *sink)
{
	struct stream *s = container_of(sink, struct stream, sink);

	pthread_mutex_lock(&s->lock);
	s->over = true;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

/* Called once, before any data. */
static int begin(struct page_sink *sink, uint64_t bytes)
{
	struct stream *s = container_of(sink, struct stream, sink);

	if (s->begun || bytes > s->capacity)
		return -EINVAL;
	s->begun = true;
	return 0;
}

static const struct page_sink_ops stream_ops = { .begin = begin, .write = take, .give_up = wake };

/* Zeros come as often as batches, and in between. */
static int take_zeros(struct page_sink *sink, uint64_t start, uint64_t end)
{
	struct stream *s = container_of(sink, struct stream, sink);

	if (start < s->zeros_upto || end <= start)
		return -EINVAL;
	if (s->zeros_fail)
		return -ENOSPC;
	s->zeros_upto = end;
	s->zeros += end - start;
	memset(s->is_zero + (start - s->from) / PAGE_SZ, 1, (end - start) / PAGE_SZ);
	return 0;
}

static const struct page_sink_ops zeros_ops = { .begin = begin,
						.write = take,
						.give_up = wake,
						.add_zeros = take_zeros };

static struct stream *stream_new(uint64_t capacity)
{
	static struct stream s;

	s = (struct stream){ .sink.ops = &stream_ops, .capacity = capacity, .fail_at = -1 };
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.moved, NULL);
	s.data = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return &s;
}

#define BIG (24ul << 20)

static char *own_memory(uint64_t len)
{
	uint64_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), x = 1;

	for (uint64_t i = 0; i < len / sizeof(*p); i++)
		p[i] = x = x * 6364136223846793005ull + 1442695040888963407ull;
	return (char *)p;
}

/* Every other 3 pages, by two threads, plus some that are already in memory. */
static const char *all_content_in_order(void)
{
	char *from = own_memory(BIG), ready[PAGE_SZ];
	struct stream *s = stream_new(BIG);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX }, .sink = &s->sink };
	uint64_t at = 0;

	memset(ready, 'r', sizeof(ready));
	for (uint64_t i = 0; i + 3 <= BIG / PAGE_SZ; i += 5) {
		struct page_run run = RUN((uintptr_t)from + PAGE(i), (uintptr_t)from + PAGE(i + 3), PAGES_WRITE, false);

		EXPECT(!page_copy_add(&c, &run, false) && (i % 100 || !page_copy_add_ready(&c, ready, PAGE_SZ)));
	}
	EXPECT(!page_copy_run(&c) && s->len == c.bytes && s->next == c.jobs.n && c.jobs.n > 20);
	for (uint64_t i = 0; i + 3 <= BIG / PAGE_SZ; i += 5) {
		EXPECT(!memcmp(s->data + at, from + PAGE(i), PAGE(3)));
		at += PAGE(3);
		EXPECT(i % 100 || !memcmp(s->data + at, ready, PAGE_SZ));
		at += i % 100 ? 0 : PAGE_SZ;
	}
	EXPECT(at == s->len);
	page_copy_free(&c);
	return NULL;
}

/* Memory in which stretches of zeros, of any length, alternate with content; runs of which they may be left out, or not. */
static const char *zeros_are_left_out(void)
{
	char *from = own_memory(BIG);
	struct stream *s = stream_new(BIG);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX }, .sink = &s->sink };
	uint64_t kept = 0, lazy = 0, pages = BIG / PAGE_SZ, half = pages / 2, quarter = half / 2;

	s->sink.ops = &zeros_ops;
	s->from = (uintptr_t)from;
	for (uint64_t i = 0, n = 1; i < pages; i += 2 * n, n = n % 300 + 1)
		memset(from + PAGE(i), 0, PAGE(MIN_OF(n, pages - i)));
	/* Zeros but for the first, or the last byte. */
	from[0] = from[PAGE(3) - 1] = 1;
	for (uint64_t i = 0; i < pages; i += quarter) {
		struct page_run run = RUN((uintptr_t)from + PAGE(i), (uintptr_t)from + PAGE(i + quarter), PAGES_WRITE,
					  i / quarter % 2);

		run.empty_is_zero = i < half;
		EXPECT(!page_copy_add(&c, &run, false));
	}
	EXPECT(!page_copy_run(&c) && s->zeros == c.zero_bytes && s->len + s->zeros == BIG && s->zeros > BIG / 8);
	for (uint64_t i = 0; i < pages; i++) {
		static const char zero[PAGE_SZ];
		bool dropped = i < half && !memcmp(from + PAGE(i), zero, PAGE_SZ);

		EXPECT(s->is_zero[i] == dropped);
		lazy += dropped && i >= quarter ? PAGE_SZ : 0;
		EXPECT(dropped || !memcmp(s->data + PAGE(kept++), from + PAGE(i), PAGE_SZ));
	}
	EXPECT(s->len == PAGE(kept) && lazy && c.lazy_zero_bytes == lazy);
	page_copy_free(&c);
	return NULL;
}

/* A file whose last page is partial, and what is beyond its end: zeros, whatever the buffer contained before. */
static const char *end_of_a_file(void)
{
	const uint64_t size = (2ul << 20) + 10, end = (2ul << 20) + PAGE(2);
	struct page_run run = RUN(0, end, PAGES_WRITE, false);
	struct stream *s = stream_new(end);
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct page_copy c = { .from = { "file", 0, fd, size }, .sink = &s->sink };
	char *content = own_memory(end);

	EXPECT(pwrite(fd, content, size, 0) == (ssize_t)size);
	memset(content + size, 0, end - size);
	EXPECT(!page_copy_add(&c, &run, true) && !page_copy_run(&c) && s->len == end);
	EXPECT(!memcmp(s->data, content, end));
	page_copy_free(&c);
	return NULL;
}

static const char *a_sink_that_fails(void)
{
	char *from = own_memory(BIG);
	struct page_run run = RUN((uintptr_t)from, (uintptr_t)from + BIG, PAGES_WRITE, false);
	struct stream *s = stream_new(BIG);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX }, .sink = &s->sink };

	s->fail_at = 3;
	EXPECT(!page_copy_add(&c, &run, false) && page_copy_run(&c) == -EPIPE && s->next == 3);
	page_copy_free(&c);
	/* While a thread waits for its batch to be placed, or comes to do so. */
	s = stream_new(BIG);
	s->sink.ops = &zeros_ops;
	s->from = (uintptr_t)from;
	s->zeros_fail = true;
	run.empty_is_zero = true;
	memset(from + BIG / 2, 0, PAGE(300));
	c = (struct page_copy){ .from = c.from, .sink = &s->sink };
	EXPECT(!page_copy_add(&c, &run, false) && page_copy_run(&c) == -ENOSPC && s->len <= BIG / 2);
	page_copy_free(&c);
	return NULL;
}

static const char *an_origin_that_fails(void)
{
	char *from = own_memory(BIG);
	struct page_run run = RUN((uintptr_t)from, (uintptr_t)from + BIG, PAGES_WRITE, false);
	struct stream *s = stream_new(BIG);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX }, .sink = &s->sink };

	EXPECT(!munmap(from + BIG / 2, PAGE_SZ));
	EXPECT(!page_copy_add(&c, &run, false) && page_copy_run(&c) < 0 && s->len <= BIG / 2);
	page_copy_free(&c);
	return NULL;
}

/* Content for all sorts of blocks: text, random bytes, zeros, in runs of odd lengths. */
static char *mixed_memory(uint64_t len)
{
	char *p = own_memory(len);

	for (uint64_t at = 0; at < len; at += PAGE(1))
		switch (at / PAGE(50) % 4) {
		case 0:
			memset(p + at, 0, PAGE_SZ);
			break;
		case 1:
			for (uint64_t i = 0; i < PAGE_SZ; i++)
				p[at + i] = "some text that repeats"[(at + i) % 22];
			break;
		}
	return p;
}

static const char *compressed_with(enum compress_method method, uint32_t block)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct options opts = { .compress = method, .compress_block = block, .compress_acceleration = 1 };
	char *from = mixed_memory(BIG), *got = own_memory(BIG);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX } };
	struct dump dump = { .opts = &opts };
	struct block_reader reader = { 0 };
	bool any = false;

	EXPECT(!image_dir_open(path, &dump.dir) && !image_store_begin(dump.dir));
	EXPECT(!compress_sink_open(&dump, IMAGE_PAGEMAP, 7, &c.sink));
	for (uint64_t i = 0; i + 93 <= BIG / PAGE_SZ; i += 97) {
		struct page_run parent = { (uintptr_t)from + PAGE(i + 93), (uintptr_t)from + PAGE(i + 95), PAGES_PARENT,
					   .may_be_lazy = true };
		struct page_run run = { (uintptr_t)from + PAGE(i), (uintptr_t)from + PAGE(i + 93), PAGES_WRITE,
					.incompressible = i % 3 == 0 };

		EXPECT(!c.sink->ops->add_run(c.sink, &run) && !page_copy_add(&c, &run, false));
		if (i % 5 == 0 && i + 95 <= BIG / PAGE_SZ)
			EXPECT(!c.sink->ops->add_run(c.sink, &parent));
	}
	EXPECT(!page_copy_run(&c) && !page_sink_finish(&c.sink) && !image_store_commit(dump.dir));
	page_copy_free(&c);
	/* The parent's pages cannot be resolved: without them. */
	EXPECT(pagemap_load(dump.dir, IMAGE_PAGEMAP, 7, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dump.dir), "parent"));
	image_store_close(dump.dir);
	EXPECT(!image_dir_open(path, &dump.dir) && !image_store_begin(dump.dir));
	EXPECT(!compress_sink_open(&dump, IMAGE_PAGEMAP, 8, &c.sink));
	c = (struct page_copy){ .from = { "memory", getpid(), -1, UINT64_MAX }, .sink = c.sink };
	for (uint64_t i = 0; i + 93 <= BIG / PAGE_SZ; i += 97) {
		struct page_run run = { (uintptr_t)from + PAGE(i), (uintptr_t)from + PAGE(i + 93), PAGES_WRITE,
					.incompressible = i % 3 == 0 };

		EXPECT(!c.sink->ops->add_run(c.sink, &run) && !page_copy_add(&c, &run, false));
	}
	EXPECT(!page_copy_run(&c) && !page_sink_finish(&c.sink) && !image_store_commit(dump.dir));
	page_copy_free(&c);
	EXPECT(!pagemap_load(dump.dir, IMAGE_PAGEMAP, 8, &map) && map->has_blocks);
	for (uint64_t i = 0; i + 93 <= BIG / PAGE_SZ; i += 97)
		for (uint64_t at = PAGE(i); at < PAGE(i + 93);) {
			const struct pagemap_run *run = pagemap_find(map, (uintptr_t)from + at);
			uint64_t len = PAGE(1 + at / PAGE_SZ % 7);

			EXPECT(run && run->vaddr <= (uintptr_t)from + at);
			len = MIN_OF(len, run->vaddr + run->nr_pages * PAGE_SZ - ((uintptr_t)from + at));
			any |= !!run->blocks;
			const struct block_range range = { pagemap_source(map, run), run, (uintptr_t)from + at, len };
			if (run->blocks)
				EXPECT(!block_reader_read(&reader, &range, got));
			else
				EXPECT(pread(pagemap_source(map, run), got, len,
					     (off_t)(run->offset + ((uintptr_t)from + at - run->vaddr))) ==
				       (ssize_t)len);
			EXPECT(!memcmp(got, from + at, len));
			at += len;
		}
	EXPECT(any);
	block_reader_free(&reader);
	image_store_close(dump.dir);
	munmap(from, BIG);
	munmap(got, BIG);
	return NULL;
}

static const char *compressed(void)
{
	static const uint32_t blocks[] = { 4096, 64 << 10, 256 << 10, 4 << 20 };
	const char *why = NULL;

	for (size_t i = 0; !why && i < ARRAY_SIZE(blocks); i++)
		why = compressed_with(COMPRESS_LZ4, blocks[i]);
	return why ? why : compressed_with(COMPRESS_ZSTD, 256 << 10);
}

/* Two threads, a store that can only be written sequentially: the pages arrive in order. */
static const char *through_a_stream(void)
{
	_cleanup_pagemap_ struct pagemap *map = NULL;
	char *from = own_memory(BIG), *got = own_memory(BIG);
	struct page_run run = RUN((uintptr_t)from, (uintptr_t)from + BIG, PAGES_WRITE, false);
	struct page_copy c = { .from = { "memory", getpid(), -1, UINT64_MAX } };
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_store *received;
	struct image_error error;
	struct options opts = { 0 };
	struct dump dump = { .opts = &opts };

	EXPECT(!image_stream_write(dup(fd), &dump.dir) && !image_store_begin(dump.dir)); /* style: a test */
	EXPECT(!ordered_sink_open(&dump, IMAGE_PAGEMAP, 7, &c.sink) && !c.sink->ops->add_run(c.sink, &run));
	EXPECT(!page_copy_add(&c, &run, false) && !page_copy_run(&c) && !page_sink_finish(&c.sink));
	EXPECT(!image_store_commit(dump.dir) && !image_store_seal(dump.dir));
	image_store_close(dump.dir);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	if (image_stream_read(fd, -1, &error, &received))
		return because("%s", error.text);
	EXPECT(!pagemap_load(received, IMAGE_PAGEMAP, 7, &map) && map->nr_runs == 1);
	EXPECT(pread(pagemap_source(map, map->runs), got, BIG, (off_t)map->runs->offset) == (ssize_t)BIG);
	EXPECT(!memcmp(got, from, BIG));
	image_store_close(received);
	page_copy_free(&c);
	close(fd);
	return NULL;
}

int main(void)
{
	log_init(LOG_SILENT);
	alarm(60);
	run_case("pages of another process in images", same_in_images);
	run_case("pages of another process in sequential images", same_in_order);
	run_case("outcomes in images", outcomes_in_images);
	run_case("zeros in images", zeros_in_images);
	run_case("parts of runs", parts_of_runs);
	run_case("zeros are left out", zeros_are_left_out);
	run_case("all content, in order", all_content_in_order);
	run_case("through a stream", through_a_stream);
	run_case("compressed", compressed);
	run_case("the end of a file", end_of_a_file);
	run_case("a sink that fails", a_sink_that_fails);
	run_case("an origin that fails", an_origin_that_fails);
	return cases_failed();
}
