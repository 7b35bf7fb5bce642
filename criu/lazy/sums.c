// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/sums.h"
#include <errno.h>
#include "base/bits.h"
#include "image/pagemap.h"
#include "util/crc32c.h"
#include "util/fds.h"

int lazy_sums_add(struct lazy_sums *sums, const struct pagemap *map)
{
	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];
		const uint64_t len = run->nr_pages * PAGE_SZ;

		if (!(run->flags & PAGEMAP_PRESENT) || !run->sums)
			continue;
		if (array_add(sums, ((struct summed_run){ pagemap_source(map, run), run->offset, run->offset + len,
							  run->sums })))
			return -ENOMEM;
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct summed_run *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void lazy_sums_sort(struct lazy_sums *sums)
{
	array_sort(sums, by_place);
}

/* NULL: this page has none. */
static const uint32_t *find(const struct lazy_sums *sums, int fd, uint64_t at)
{
	size_t low = 0, high = sums->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct summed_run *run = &sums->v[middle];

		if (run->fd < fd || (run->fd == fd && run->end <= at))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == sums->n || sums->v[low].fd != fd || sums->v[low].at > at)
		return NULL;
	return &sums->v[low].sums[(at - sums->v[low].at) / PAGE_SZ];
}

int lazy_sums_read(const struct lazy_sums *sums, int fd, void *to, uint64_t len, uint64_t at)
{
	int err = pread_exact(fd, to, len, (off_t)at);

	for (uint64_t done = 0; !err && sums->n && done < len; done += PAGE_SZ) {
		const uint32_t *sum = find(sums, fd, at + done);

		if (sum && crc32c(0, (const char *)to + done, PAGE_SZ) != *sum)
			err = -EBADMSG;
	}
	return err;
}
