/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of an images directory and its parents: listed by the page map, stored uncompressed in the pages images. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/page_source.h"
#include "util/fds.h"
#include "util/log.h"

static bool direct(const struct page_source *source, const struct pagemap_run *run, uint64_t addr,
		   struct page_place *ret_place)
{
	if (!(run->flags & PAGEMAP_PRESENT))
		return false;
	*ret_place = (struct page_place){ pagemap_source(source->map, run), run->offset + (addr - run->vaddr) };
	return true;
}

static int read_pages(const struct page_source *source, const struct pagemap_run *run, uint64_t addr, void *to,
		      uint64_t len)
{
	struct page_place place;

	return direct(source, run, addr, &place) ? pread_exact(place.fd, to, len, (off_t)place.offset) : -ENODATA;
}

/* Maps each pages image. */
static int view(const struct page_source *source, struct page_view *ret_view)
{
	const struct pagemap *map = source->map;
	struct page_view v = { .map = map };

	v.mem = calloc(map->nr_sources, sizeof(*v.mem));
	v.len = calloc(map->nr_sources, sizeof(*v.len));
	if (!v.mem || !v.len) {
		page_view_close(&v);
		return fail(-ENOMEM, "pages images");
	}
	for (size_t i = 0; i < map->nr_sources; i++) {
		struct stat st;
		void *mem;

		if (map->sources[i] < 0)
			continue;
		mem = fstat(map->sources[i], &st) < 0 ?
			      MAP_FAILED :
			      mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, map->sources[i], 0);
		if (mem == MAP_FAILED) {
			int err = -errno;

			page_view_close(&v);
			return fail(err, "map the pages image");
		}
		v.mem[i] = mem;
		v.len[i] = st.st_size;
	}
	*ret_view = v;
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

static void close_source(struct page_source *source)
{
	pagemap_free(source->map);
	free(source);
}

static const struct page_source_ops image_source_ops = {
	.read = read_pages,
	.direct = direct,
	.view = view,
	.move_fds = move_fds,
	.close = close_source,
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
