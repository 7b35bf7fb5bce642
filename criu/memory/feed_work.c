/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/feed_work.h"
#include <errno.h>
#include <sys/prctl.h>
#include "base/bits.h"
#include "memory/feed_threads.h"
#include "util/log.h"

int feed_work_add(struct feed_work *work, const struct feed_item *item)
{
	struct feed_item part = *item;
	int err = 0;

	for (uint64_t done = 0; !err && done < item->read.len; done += part.read.len) {
		part.read.addr = item->read.addr + done;
		part.read.to = item->read.to + done;
		part.read.len = MIN_OF(item->read.len - done, FEED_UNIT);
		err = array_add(&work->items, part);
	}
	work->bytes += item->read.len;
	return err;
}

/* Mappings that have items of huge pages. False: there are none, or nothing can be moved here. */
static bool register_mappings(struct feed_work *work)
{
	const struct block_read *last = NULL;
	bool any = false, ok = false;

	for (size_t i = 0; i < work->items.n; i++) {
		struct feed_item *item = &work->items.v[i];

		if (!item->huge)
			continue;
		if (!last && huge_blocks_open(&work->huge))
			return false;
		if (!last || last->map_start != item->read.map_start)
			ok = !huge_blocks_register(&work->huge, item->read.map_start, item->read.map_end);
		last = &item->read;
		item->registered = ok;
		any |= ok;
	}
	return any;
}

static int report(const struct feed_work *work)
{
	int err = atomic_load(&work->failed);

	if (err == -EBADMSG) {
		log_error("pages at %lx: a compressed block in the pages image is damaged", work->failed_addr);
		return err;
	}
	return err ? fail(err, "read pages at %lx", work->failed_addr) : 0;
}

static int run_pass(struct feed_work *work, enum feed_pass pass)
{
	int err;

	work->pass = pass;
	atomic_store(&work->next, 0);
	err = feed_by_threads(work);
	return err ? fail(err, "memory for decompression") : report(work);
}

/* Where only some pages of a block are present, a huge page would use memory that the task did not use before. */
static int run_small(struct feed_work *work)
{
	bool thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) <= 0;
	int err;

	if (thp)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	err = run_pass(work, FEED_SMALL);
	if (thp)
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	return err;
}

int feed_work_run(struct feed_work *work)
{
	int err = register_mappings(work) ? run_pass(work, FEED_MOVES) : 0;

	huge_blocks_close(&work->huge);
	if (!err)
		err = run_pass(work, FEED_IN_PLACE);
	if (!err)
		err = run_small(work);
	page_source_end_thread();
	if (!err)
		atomic_fetch_add(&work->r->shared->state->counts.pages_restored, work->bytes / PAGE_SZ);
	return err;
}

void feed_work_free(struct feed_work *work)
{
	array_free(&work->items);
}
