/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By one thread: several processes of a tree do this at the same time. (One of libc would leave traces in the task: a signal
 * handler, a list of semaphore undos, and its tid might be one that another task is going to have.)
 */
#include "memory/feed_work.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include "util/log.h"

int feed_work_add(struct feed_work *work, const struct feed_item *item)
{
	work->bytes += item->read.len;
	return array_add(&work->items, *item);
}

static int read_item(const struct feed_item *item, struct huge_blocks *huge)
{
	const struct block_read *what = &item->read;
	int err = item->huge ? huge_blocks_read(huge, what) :
			       what->source->ops->read(what->source, what->run, what->addr, what->to, what->len);

	if (err == -EBADMSG) {
		log_error("pages at %lx: a compressed block in the pages image is damaged", what->addr);
		return err;
	}
	return err ? fail(err, "read pages at %lx", what->addr) : 0;
}

static int read_all(struct feed_work *work, struct huge_blocks *huge, bool now_huge)
{
	int err = 0;

	for (size_t i = 0; !err && i < work->items.n; i++) {
		const struct feed_item *item = &work->items.v[i];

		if (item->huge != now_huge)
			continue;
		err = read_item(item, huge);
		if (!err)
			atomic_fetch_add(&work->counts->bytes, item->read.len);
	}
	return err;
}

/* Where only some pages of a block are present, a huge page would use memory that the task did not use before. */
int feed_work_run(struct feed_work *work)
{
	struct huge_blocks huge = HUGE_BLOCKS_CLOSED;
	bool thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) <= 0;
	int err = read_all(work, &huge, true);

	huge_blocks_close(&huge);
	if (thp)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (!err)
		err = read_all(work, &huge, false);
	if (thp)
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	page_source_end_thread();
	if (!err)
		atomic_fetch_add(&work->counts->pages_restored, work->bytes / PAGE_SZ);
	return err;
}

void feed_work_free(struct feed_work *work)
{
	array_free(&work->items);
}
