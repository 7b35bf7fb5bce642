// SPDX-License-Identifier: GPL-2.0-only
/* What was sent to a page server or in a stream: read as it was written, of the right dump only; what is invalid is refused. */
#include "image_helper.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "image/reader.h"
#include "image/sent_pages.h"
#include "image/writer.h"
#include "sent-pages.pb-c.h"

#define RUN "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_RUN "01234567-89ab-cdef-0123-456789abcdee"

static const char *test_runs(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL, *empty = NULL, *other = NULL;
	struct sent_pages sent = { .run_id = RUN }, none = { .run_id = RUN, .by_stream = true };
	const struct sent_pages *a_run = &(struct sent_pages){ .run_id = OTHER_RUN };
	struct sent_runs *runs = &sent.runs;
	const struct pagemap_run *found;

	EXPECT(!sent_runs_add(runs, 0x1000, 0x3000) && !sent_runs_add(runs, 0x3000, 0x4000) &&
	       !sent_runs_add(runs, 0x9000, 0xa000) && runs->n == 2);
	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir));
	EXPECT(!sent_pages_write(dir, 5, &sent) && !sent_pages_write(dir, 6, &none) && !image_store_commit(dir));
	EXPECT(!sent_pages_load(dir, 5, &sent, &map) && map->nr_runs == 2);
	found = pagemap_find(map, 0x3000);
	EXPECT(found->vaddr == 0x1000 && found->nr_pages == 3 && found->flags == PAGEMAP_PRESENT);
	EXPECT(pagemap_find(map, 0x4000)->vaddr == 0x9000 && !pagemap_find(map, 0xa000));
	EXPECT(!sent_pages_load(dir, 6, &none, &empty) && empty->nr_runs == 0);
	EXPECT(sent_pages_load(dir, 5, a_run, &other) == -ENOENT && sent_pages_load(dir, 7, &sent, &other) == -ENOENT);
	EXPECT(sent_pages_load(dir, 5, &none, &other) == -EBADMSG &&
	       sent_pages_load(dir, 6, &sent, &other) == -EBADMSG);
	array_free(runs);
	return NULL;
}

static int load(uint64_t *vaddr, size_t n_vaddr, uint64_t *nr_pages, size_t n_nr_pages)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;
	SentPagesEntry entry = SENT_PAGES_ENTRY__INIT;

	entry.run_id = (char *)RUN;
	entry.vaddr = vaddr;
	entry.n_vaddr = n_vaddr;
	entry.nr_pages = nr_pages;
	entry.n_nr_pages = n_nr_pages;
	if (image_dir_open(path, &dir) || image_store_begin(dir) ||
	    image_write_single(dir, IMAGE_SENT_PAGES, 5, &entry.base) || image_store_commit(dir))
		return -EIO;
	return sent_pages_load(dir, 5, &(struct sent_pages){ .run_id = RUN }, &map);
}

static const char *test_invalid(void)
{
	uint64_t good[] = { 0x1000, 0x3000 }, one[] = { 1, 1 }, unaligned[] = { 0x1000, 0x3001 },
		 back[] = { 0x3000, 0x1000 };
	uint64_t overlap[] = { 3, 1 }, zero[] = { 1, 0 }, huge[] = { 1, UINT64_MAX / PAGE_SZ },
		 more[] = { 1, UINT64_MAX };

	EXPECT(load(good, 2, one, 2) == 0);
	EXPECT(load(good, 2, one, 1) == -EBADMSG && load(good, 1, one, 2) == -EBADMSG);
	EXPECT(load(unaligned, 2, one, 2) == -EBADMSG && load(back, 2, one, 2) == -EBADMSG);
	EXPECT(load(good, 2, overlap, 2) == -EBADMSG && load(good, 2, zero, 2) == -EBADMSG);
	EXPECT(load(good, 2, huge, 2) == -EBADMSG && load(good, 2, more, 2) == -EBADMSG);
	return NULL;
}

int main(void)
{
	run_case("runs", test_runs);
	run_case("invalid", test_invalid);
	return cases_failed();
}
