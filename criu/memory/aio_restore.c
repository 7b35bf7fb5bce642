/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kmem/aio.h"
#include "memory/aio.h"
#include "memory/memory.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

#define BATCH 64u

/* ---- load ---- */

static const AioRingEntry *entry_of(const struct restore_task *rt, uint64_t at)
{
	for (size_t i = 0; i < rt->mm->n_aios; i++)
		if (rt->mm->aios[i]->id == at)
			return rt->mm->aios[i];
	return NULL;
}

static const struct pagemap_run *header_run(const struct pagemap *map, uint64_t at)
{
	const struct pagemap_run *run = pagemap_find(map, at);

	return run && run->vaddr <= at && (run->flags & PAGEMAP_PRESENT) ? run : NULL;
}

static int check_ring(const struct restore_task *rt, const VmaEntry *v, const struct pagemap *map)
{
	const AioRingEntry *entry = entry_of(rt, v->start);

	if (!entry)
		return fail(-EBADMSG, "mm-%d.img: VMA %lx-%lx is an AIO ring, which has no entry", rt->t.pid, v->start,
			    v->end);
	if (entry->ring_len != v->end - v->start || entry->ring_len > AIO_RING_LEN_MAX)
		return fail(-EBADMSG, "mm-%d.img: AIO context %#lx: a ring of %u bytes in a VMA of %lu", rt->t.pid,
			    entry->id, entry->ring_len, v->end - v->start);
	if (!entry->nr_req || entry->nr_req > entry->ring_len / AIO_EVENT_SIZE)
		return fail(-EBADMSG, "mm-%d.img: AIO context %#lx: %u requests in a ring of %u bytes", rt->t.pid,
			    entry->id, entry->nr_req, entry->ring_len);
	if (!header_run(map, v->start))
		return fail(-EBADMSG, "pagemap-%d.img: the first page of the AIO ring at %#lx is missing", rt->t.pid,
			    v->start);
	return 0;
}

int aio_load(struct restore_task *rt, const struct pagemap *map)
{
	size_t rings = 0;
	int err = 0;

	for (size_t i = 0; !err && i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];

		if (!(v->status & VMA_AIO_RING) || (v->status & VMA_GUARD))
			continue;
		rings++;
		err = check_ring(rt, v, map);
	}
	/* Each ring has its entry: duplicate entries, or one without a ring, would make their number differ. */
	if (!err && rings != rt->mm->n_aios)
		err = fail(-EBADMSG, "mm-%d.img: %zu AIO contexts with %zu rings", rt->t.pid, rt->mm->n_aios, rings);
	return err;
}

/* ---- hand over ---- */

/* The ring as saved. */
static int read_header(const struct restore_task *rt, const AioRingEntry *entry, const struct page_source *source,
		       struct aio_ring *ret)
{
	const struct pagemap_run *run = header_run(source->map, entry->id);
	int err = run ? source->ops->read(source, run, entry->id, ret, sizeof(*ret)) : -EBADMSG;

	if (err)
		return fail(err, "read the AIO ring at %#lx from the pages image", entry->id);
	if (ret->magic != AIO_RING_MAGIC || ret->nr != entry->ring_len / AIO_EVENT_SIZE - 1 || ret->tail >= ret->nr)
		return fail(-EBADMSG, "pages of %d: the AIO ring at %#lx is not valid: magic %#x, tail %u of %u",
			    rt->t.pid, entry->id, ret->magic, ret->tail, ret->nr);
	return 0;
}

static int setup(unsigned requests, uint32_t nr, aio_context_t *ret)
{
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, requests, &ctx) < 0)
		return -errno;
	if (((struct aio_ring *)ctx)->nr != nr) {
		syscall(SYS_io_destroy, ctx);
		return -ERANGE;
	}
	*ret = ctx;
	return 0;
}

/* The size of a ring also depends on the number of CPUs: if that differs, the number of requests has to be adjusted. */
static int make_context(const AioRingEntry *entry, uint32_t nr, aio_context_t *ret)
{
	int err = setup(entry->nr_req, nr, ret);

	if (err == -ERANGE)
		err = setup(MAX_OF((nr - 2) / 2, 1u), nr, ret);
	if (err == -ERANGE)
		return fail(
			err,
			"AIO context %#lx: this kernel cannot create a ring of %u bytes, as that depends on the number of CPUs: restore on a machine with as many (it was created for %u requests)",
			entry->id, entry->ring_len, entry->nr_req);
	if (err == -EAGAIN)
		return fail(err, "AIO context %#lx: slots for %u requests: raise fs.aio-max-nr (sysctl)", entry->id,
			    entry->nr_req);
	return err ? fail(err, "io_setup(%u)", entry->nr_req) : 0;
}

/* Lets @n requests complete that read nothing. With @follow, their events count as read. */
static int end_requests(aio_context_t ctx, int empty, uint64_t n, bool follow)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = empty }, *all[BATCH];
	volatile struct aio_ring *ring = (volatile struct aio_ring *)ctx;

	for (unsigned i = 0; i < BATCH; i++)
		all[i] = &cb;
	while (n) {
		/* The kernel frees the slots of consumed events one by one: never request all that there are. */
		long most = MIN_OF(n, follow ? MIN_OF(BATCH, ring->nr / 4) : BATCH);
		long done = syscall(SYS_io_submit, ctx, most, all);

		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		n -= done;
		if (follow)
			ring->head = ring->tail;
	}
	return 0;
}

/*
 * Moves the kernel's tail to @want's, with as many unread events as in @want: slots are in use until the program has
 * read them.
 */
static int turn(aio_context_t ctx, const struct aio_ring *want)
{
	_cleanup_close_ int empty = memfd_create("empty", MFD_CLOEXEC);
	uint32_t head = want->head % want->nr, wait = (want->tail + want->nr - head) % want->nr;
	uint64_t all = want->tail < wait ? want->tail + want->nr : want->tail;
	const struct aio_ring *ring = (const struct aio_ring *)ctx;
	cpu_set_t before, one;
	unsigned cpu;
	bool pinned;
	int err;

	if (empty < 0)
		return -errno;
	/* Every CPU that submits reserves a batch of slots; all of them may be needed here. */
	CPU_ZERO(&one);
	if (!getcpu(&cpu, NULL) && cpu < CPU_SETSIZE)
		CPU_SET(cpu, &one);
	pinned = !sched_getaffinity(0, sizeof(before), &before) && !sched_setaffinity(0, sizeof(one), &one);
	err = end_requests(ctx, empty, all - wait, true);
	if (!err)
		err = end_requests(ctx, empty, wait, false);
	if (pinned)
		sched_setaffinity(0, sizeof(before), &before);
	return err ? err : ring->tail == want->tail ? 0 : -EIO;
}

/* Moves the ring to @hole, which is reserved. */
static int restore_context(const struct restore_task *rt, const AioRingEntry *entry, const struct page_source *source,
			   uint64_t hole, struct wire_aio *ret)
{
	struct aio_ring saved;
	aio_context_t ctx;
	int err = read_header(rt, entry, source, &saved);

	if (!err)
		err = make_context(entry, saved.nr, &ctx);
	if (err)
		return err;
	err = saved.tail || saved.head ? turn(ctx, &saved) : 0;
	if (err)
		return fail(err, "AIO context %#lx: set its ring to head %u, tail %u of %u", entry->id, saved.head,
			    saved.tail, saved.nr);
	if (mremap((void *)ctx, entry->ring_len, entry->ring_len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)hole) ==
	    MAP_FAILED)
		return fail(-errno, "move an AIO ring");
	*ret = (struct wire_aio){ .start = entry->id, .waits_at = hole, .len = entry->ring_len };
	ret->id = ((struct aio_ring *)hole)->id;
	return 0;
}

/* For all rings, next to each other. */
static int reserve_room(struct restore *r, struct restore_task *rt, uint64_t *ret_at)
{
	uint64_t len = 0, at;
	int err;

	for (size_t i = 0; i < rt->mm->n_aios; i++)
		len += rt->mm->aios[i]->ring_len;
	err = memory_find_hole(r, rt, len, &at);
	if (err)
		return err;
	if (mmap((void *)at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return fail(-errno, "space for AIO rings");
	*ret_at = at;
	return 0;
}

int aio_hand_over(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire)
{
	size_t n = rt->mm->n_aios;
	struct wire_aio *aios = n ? wire_alloc(wire, n * sizeof(*aios)) : NULL;
	uint64_t at = 0;
	int err;

	if (!n)
		return 0;
	err = aios ? reserve_room(r, rt, &at) : fail(-ENOMEM, "AIO contexts");
	for (size_t i = 0; !err && i < n; i++) {
		err = restore_context(rt, rt->mm->aios[i], source, at, &aios[i]);
		at += rt->mm->aios[i]->ring_len;
	}
	wire->aios = (uintptr_t)aios;
	wire->nr_aios = n;
	return err;
}

uint64_t aio_waits_at(const struct wire_task *wire, uint64_t start)
{
	const struct wire_aio *aios = (const struct wire_aio *)(uintptr_t)wire->aios;

	for (uint64_t i = 0; i < wire->nr_aios; i++)
		if (aios[i].start == start)
			return aios[i].waits_at;
	return 0;
}

size_t aio_reserved_ranges(const struct wire_task *wire, struct wire_range *ranges, size_t room)
{
	const struct wire_aio *aios = (const struct wire_aio *)(uintptr_t)wire->aios;
	size_t n = 0;

	for (; n < wire->nr_aios && n < room; n++)
		ranges[n] = (struct wire_range){ aios[n].waits_at, aios[n].waits_at + aios[n].len };
	return n;
}
