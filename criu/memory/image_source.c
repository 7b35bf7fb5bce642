/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of an images directory and its parents: listed by the page map, stored in the pages images as they are, or in
 * compressed blocks.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/block_reader.h"
#include "memory/page_source.h"
#include "util/fds.h"
#include "util/log.h"

static bool direct(const struct page_source *source, const struct pagemap_run *run, uint64_t addr,
		   struct page_place *ret_place)
{
	if (!(run->flags & PAGEMAP_PRESENT) || run->blocks)
		return false;
	*ret_place = (struct page_place){ pagemap_source(source->map, run), run->offset + (addr - run->vaddr) };
	return true;
}

/* Of this thread: its buffers are used by all sources. */
static _Thread_local struct block_reader reader;

void page_source_end_thread(void)
{
	block_reader_free(&reader);
}

static int read_pages(const struct page_source *source, const struct pagemap_run *run, uint64_t addr, void *to,
		      uint64_t len)
{
	struct page_place place;

	if (run->blocks) {
		const struct block_range range = { pagemap_source(source->map, run), run, addr, len };

		return block_reader_read(&reader, &range, to);
	}
	return direct(source, run, addr, &place) ? pread_exact(place.fd, to, len, (off_t)place.offset) : -ENODATA;
}

/* How much of each pages image has to be mapped. */
static void measure(const struct pagemap *map, struct page_mapping *mapped)
{
	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];

		if (run->flags & PAGEMAP_PRESENT && !run->blocks)
			mapped[run->source].len =
				MAX_OF(mapped[run->source].len, run->offset + run->nr_pages * PAGE_SZ);
	}
}

static int view(const struct page_source *source, struct page_view *ret_view)
{
	const struct pagemap *map = source->map;

	*ret_view = (struct page_view){ .map = map };
	if (map->has_blocks) {
		ret_view->blocks = calloc(1, sizeof(*ret_view->blocks));
		if (!ret_view->blocks)
			return fail(-ENOMEM, "pages images");
	}
	ret_view->mapped = map->nr_sources == 1 ? &ret_view->one : calloc(map->nr_sources, sizeof(*ret_view->mapped));
	if (!ret_view->mapped) {
		page_view_close(ret_view);
		return fail(-ENOMEM, "pages images");
	}
	measure(map, ret_view->mapped);
	for (size_t i = 0; i < map->nr_sources; i++) {
		struct page_mapping *m = &ret_view->mapped[i];
		void *mem = m->len ? mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, map->sources[i], 0) : NULL;

		if (mem == MAP_FAILED) {
			int err = -errno;

			page_view_close(ret_view);
			return fail(err, "map the pages image");
		}
		m->mem = mem;
	}
	return 0;
}

static int move_fds(struct page_source *source, int min)
{
	struct pagemap *map = source->map;

	for (size_t i = 0; i < map->nr_sources; i++) {
		if (map->sources[i] < 0)
			continue;
		map->sources[i] = move_fd_above(map->sources[i], min);
		if (map->sources[i] < 0)
			return fail(map->sources[i], "keep the pages image open");
	}
	return 0;
}

/* Blocks are remembered by their address, which may be another source's soon. */
static void forget_blocks(void)
{
	block_reader_forget(&reader);
}

static void close_source(struct page_source *source)
{
	forget_blocks();
	pagemap_free(source->map);
	free(source);
}

/* A source whose page map has been read before. */
struct reopened {
	struct page_source source; /* first */
	struct pagemap map;
};

static void close_reopened(struct page_source *source)
{
	forget_blocks();
	pagemap_close_sources(source->map);
	free(source);
}

static const struct page_source_ops image_source_ops = {
	.read = read_pages,
	.direct = direct,
	.view = view,
	.move_fds = move_fds,
	.close = close_source,
};

static const struct page_source_ops reopened_source_ops = {
	.read = read_pages,
	.direct = direct,
	.view = view,
	.move_fds = move_fds,
	.close = close_reopened,
};

int image_source_open(struct image_store *dir, enum image_type type, uint64_t id, struct page_source **ret_source)
{
	struct page_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source)
		return fail(-ENOMEM, "page map");
	source->ops = &image_source_ops;
	err = pagemap_load(dir, type, id, &source->map);
	if (!err) {
		*ret_source = source;
		return 0;
	}
	free(source);
	return err == -ENOENT ? err : fail(err, "%s", image_store_error(dir));
}

int image_source_reopen(struct image_store *dir, const struct pagemap *kept, struct page_source **ret_source)
{
	struct reopened *again = calloc(1, sizeof(*again));
	int err;

	if (!again)
		return fail(-ENOMEM, "page map");
	again->source = (struct page_source){ .ops = &reopened_source_ops, .map = &again->map };
	err = pagemap_reopen(dir, kept, &again->map);
	if (err) {
		close_reopened(&again->source);
		return fail(err, "%s", image_store_error(dir));
	}
	*ret_source = &again->source;
	return 0;
}
