/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads are started one by one, before each item that is left for us to do, so a process uses CPUs that others do not use any
 * more. None is necessary: what cannot be started is done without.
 */
#include "memory/feed_threads.h"
#include <compel/syscall.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bits.h"
#include "memory/bare_thread.h"
#include "memory/block_reader.h"
#include "run/spare_tid.h"
#include "util/log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* More are slower than memory; each has a stage of FEED_UNIT, and buffers. */
#define AUTO_MAX 8
/* Items that the kernel reads in advance. */
#define AHEAD 8
/* Of one, beside two blocks: its stack, and what the decoder needs. */
#define SMALL_PARTS (384ul << 10)
/* How many numbers other processes may have: threads of other restores, too. */
#define TRIES_MORE 64

struct feeder {
	struct feed_work *work;
	struct block_reader reader;
	void *stage;
	struct bare_thread thread;
	bool counted; /* in shared_birth.decoding */
};

struct feeders {
	struct feed_work *work;
	struct feeder *v; /* the first one is this thread */
	size_t n, max;
	unsigned cpus; /* 0: not shared with other processes */
	unsigned tried, tries_max; /* numbers */
	uint64_t bytes; /* that each of them needs; a stage is going to be memory of the tree */
};

/* ---- one item, in any thread ---- */

static bool in_pass(const struct feed_work *work, const struct feed_item *item)
{
	if (work->pass == FEED_SMALL)
		return !item->huge;
	return item->huge && (work->pass == FEED_MOVES ? item->registered : !item->done);
}

static struct feed_item *item_from(struct feed_work *work, size_t i)
{
	for (; i < work->items.n; i++)
		if (in_pass(work, &work->items.v[i]))
			return &work->items.v[i];
	return NULL;
}

static struct feed_item *take_item(struct feed_work *work)
{
	size_t i = atomic_load(&work->next);
	struct feed_item *item;

	do
		item = atomic_load(&work->failed) ? NULL : item_from(work, i);
	while (item && !atomic_compare_exchange_strong(&work->next, &i, (size_t)(item - work->items.v) + 1));
	return item;
}

static struct block_range range_of(const struct block_read *what)
{
	return (struct block_range){ .fd = pagemap_source(what->source->map, what->run),
				     .run = what->run,
				     .addr = what->addr,
				     .len = what->len };
}

/* It is done again in place if this does not work. */
static int move_item(struct feeder *f, struct feed_item *item)
{
	const struct block_range range = range_of(&item->read);
	int err;

	if (huge_stage_renew(&f->stage, FEED_UNIT))
		return 0;
	err = block_reader_read(&f->reader, &range, f->stage);
	if (!err)
		item->done = !huge_blocks_move(&f->work->huge, item->read.to, f->stage, item->read.len);
	return err;
}

/* A page fault for each page would cost more. */
static int fill_item(struct feeder *f, const struct feed_item *item)
{
	const struct block_range range = range_of(&item->read);

	sys_call3(__NR_madvise, (long)item->read.to, (long)item->read.len, MADV_POPULATE_WRITE);
	return block_reader_read(&f->reader, &range, item->read.to);
}

/* The kernel reads what comes in a while, as each thread alone would wait for the disk in turn. */
static void expect(struct feed_work *work, size_t i)
{
	struct block_range range;

	if (i >= work->items.n || !in_pass(work, &work->items.v[i]))
		return;
	range = range_of(&work->items.v[i].read);
	block_range_expect(&range);
}

static void read_item(struct feeder *f, struct feed_item *item)
{
	struct feed_work *work = f->work;
	int err, none = 0;

	expect(work, (size_t)(item - work->items.v) + AHEAD);
	err = work->pass == FEED_MOVES ? move_item(f, item) : fill_item(f, item);

	if (err && atomic_compare_exchange_strong(&work->failed, &none, err))
		work->failed_addr = item->read.addr;
	if (!err && (work->pass != FEED_MOVES || item->done))
		atomic_fetch_add(&work->r->shared->state->counts.bytes, item->read.len);
}

static int feeder_main(void *arg)
{
	struct feeder *f = arg;
	struct feed_item *item;

	while ((item = take_item(f->work)))
		read_item(f, item);
	if (f->counted)
		atomic_fetch_sub(&f->work->r->shared->birth->decoding, 1);
	return 0;
}

/* ---- the threads ---- */

/* What any item needs: a thread must not allocate more. */
static int reserve(struct feeder *f)
{
	const struct feed_work *work = f->work;
	const struct pagemap_blocks *last = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < work->items.n; i++) {
		const struct pagemap_blocks *of = work->items.v[i].read.run->blocks;

		if (of != last)
			err = block_reader_reserve(&f->reader, of);
		last = of;
	}
	f->reader.fixed = true;
	return err;
}

static bool take_cpu(const struct feeders *all)
{
	_Atomic uint32_t *decoding = &all->work->r->shared->birth->decoding;
	uint32_t n = atomic_load(decoding);

	while (n < all->cpus)
		if (atomic_compare_exchange_strong(decoding, &n, n + 1))
			return true;
	return false;
}

/* Of that which the restore may use beside the tree (available.c). */
static bool take_memory(const struct feeders *all)
{
	_Atomic uint64_t *used = &all->work->r->shared->birth->decoding_bytes;

	if (atomic_fetch_add(used, all->bytes) + all->bytes <= all->work->r->plan.memory_beside)
		return true;
	atomic_fetch_sub(used, all->bytes);
	return false;
}

static void give_memory_back(const struct feeders *all, size_t threads)
{
	atomic_fetch_sub(&all->work->r->shared->birth->decoding_bytes, all->bytes * threads);
}

static bool may_start(const struct feeders *all)
{
	if (all->n >= all->max || !take_memory(all))
		return false;
	if (!all->cpus || take_cpu(all))
		return true;
	give_memory_back(all, 1);
	return false;
}

static int start(struct feeders *all, struct feeder *f)
{
	const struct restore_task *rt = all->work->rt;
	const unsigned levels = rt->t.pid_ns ? rt->t.pid_ns->depth + 1 : 1;
	int err;

	do
		err = bare_thread_start(&f->thread, restore_spare_tid(all->work->r, rt, ++all->tried), levels,
					feeder_main, f);
	while (err == -EEXIST && all->tried < all->tries_max);
	return err;
}

static void start_another(struct feeders *all)
{
	_Atomic uint32_t *helpers = &all->work->r->shared->state->counts.helpers;
	struct feeder *f = &all->v[all->n];
	int err;

	if (!may_start(all))
		return;
	*f = (struct feeder){ .work = all->work, .counted = all->cpus };
	atomic_fetch_add(helpers, 1);
	err = reserve(f);
	if (!err)
		err = start(all, f);
	if (!err) {
		all->n++;
		return;
	}
	log_debug("no more than %zu threads can decompress pages: errno %d", all->n, -err);
	block_reader_free(&f->reader);
	atomic_fetch_sub(helpers, 1);
	give_memory_back(all, 1);
	if (f->counted)
		atomic_fetch_sub(&all->work->r->shared->birth->decoding, 1);
	all->max = all->n;
}

static void end_feeder(struct feeder *f)
{
	bare_thread_end(&f->thread);
	block_reader_free(&f->reader);
	if (f->stage)
		munmap(f->stage, FEED_UNIT);
}

static unsigned count_cpus(void)
{
	cpu_set_t set;

	/* Of more CPUs than fit in there. */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return (unsigned)MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1l);
	return (unsigned)CPU_COUNT(&set);
}

static void run(struct feeders *all)
{
	struct feed_work *work = all->work;
	struct feed_item *item;

	for (size_t i = 0; i < AHEAD; i++)
		expect(work, i);
	/* A thread is worth it if there is something left for it. */
	while ((item = take_item(work))) {
		if (item_from(work, atomic_load(&work->next)))
			start_another(all);
		read_item(&all->v[0], item);
	}
	log_debug("pages were decompressed by %zu threads", all->n);
	for (size_t i = all->n; i--;)
		end_feeder(&all->v[i]);
	give_memory_back(all, all->n - 1);
	atomic_fetch_sub(&work->r->shared->state->counts.helpers, (uint32_t)all->n - 1);
}

int feed_by_threads(struct feed_work *work)
{
	const uint32_t wanted = work->r->opts->decompress_threads;
	struct feeders all = { .work = work, .n = 1, .cpus = wanted ? 0 : count_cpus() };
	_Atomic uint32_t *decoding = &work->r->shared->birth->decoding;
	_cleanup_free_ struct feeder *v = NULL;
	uint64_t block = 0;
	size_t items = 0;
	int err;

	for (size_t i = 0; i < work->items.n; i++) {
		block = MAX_OF(block, work->items.v[i].read.run->blocks->block_pages * PAGE_SZ);
		items += in_pass(work, &work->items.v[i]);
	}
	if (!items)
		return 0;
	all.bytes = 2 * block + SMALL_PARTS;
	all.max = MIN_OF(items, (size_t)(wanted ? wanted : MIN_OF(all.cpus, AUTO_MAX)));
	all.tries_max = (unsigned)all.max + TRIES_MORE;
	v = all.v = calloc(all.max, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[0].work = work;
	err = reserve(&v[0]);
	if (err) {
		block_reader_free(&v[0].reader);
		return err;
	}
	if (all.cpus)
		atomic_fetch_add(decoding, 1);
	run(&all);
	if (all.cpus)
		atomic_fetch_sub(decoding, 1);
	return 0;
}
