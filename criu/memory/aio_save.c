/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "kmem/aio.h"
#include "memory/aio.h"
#include "memory/dump_memory.h"
#include "util/fds.h"
#include "util/log.h"

/* Disks respond sooner; a frozen file system (FUSE) never does. */
#define WAIT_US 2000000u
#define STEP_US 500u

bool aio_is_ring(const struct kernel_vma *v)
{
	return v->shared && v->deleted && !strcmp(v->name, "/[aio]");
}

static void close_reader(void *reader)
{
	aio_reader_close(reader);
}

static int reader_of(struct dump *dump)
{
	if (dump->memory->aio_reader || dump->memory->aio_unreadable)
		return dump->memory->aio_unreadable;
	dump->memory->aio_unreadable = aio_reader_open(&dump->memory->aio_reader);
	if (!dump->memory->aio_unreadable && arena_defer(&dump->arena, close_reader, dump->memory->aio_reader)) {
		dump->memory->aio_reader = NULL;
		return dump->memory->aio_unreadable = -ENOMEM;
	}
	return dump->memory->aio_unreadable;
}

static bool ends_by_itself(const struct aio_contexts *all)
{
	bool waits = false;

	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].for_ever)
			return false;
		waits |= all->v[i].in_flight;
	}
	return waits;
}

/* Requests in flight are in the kernel and on disks: they complete while their process is frozen. */
static int read_at_rest(struct dump *dump, int mem, struct aio_contexts *all)
{
	int err = aio_contexts_read(dump->memory->aio_reader, mem, all);

	if (dump_is_check(dump))
		return err;
	for (unsigned waited = 0; waited < WAIT_US && (err == -EAGAIN || (!err && ends_by_itself(all)));
	     waited += STEP_US) {
		usleep(STEP_US); /* style: nothing notifies us of completed requests of another process */
		array_free(all);
		err = aio_contexts_read(dump->memory->aio_reader, mem, all);
	}
	return err;
}

static void refuse_in_flight(struct dump *dump, const struct dump_task *dt, const struct aio_context *c)
{
	if (c->for_ever)
		dump_blocker(
			dump, dt, -1,
			"AIO context %#lx: %u requests are in flight that wait for an event (IOCB_CMD_POLL): io_cancel or io_destroy them",
			c->at, c->in_flight);
	else if (c->in_flight && !dump_is_check(dump))
		dump_blocker(
			dump, dt, -1,
			"AIO context %#lx: %u requests are in flight, and have not completed in %u ms: try again when the device or server has responded",
			c->at, c->in_flight, WAIT_US / 1000);
}

static const struct aio_context *context_at(const struct dump_task *dt, uint64_t at)
{
	for (size_t i = 0; i < dt->memory->nr_aio; i++)
		if (dt->memory->aio[i].at == at)
			return &dt->memory->aio[i];
	return NULL;
}

/* NULL, or why this ring cannot be recreated. */
static const char *unlike(const struct kernel_vma *v, const struct aio_context *c, const struct aio_ring *ring)
{
	if (!c)
		return "the ring of an AIO context that this process does not have, inherited by fork or a part of one: munmap it";
	if (c->len != v->end - v->start || v->pgoff)
		return "part of the ring of an AIO context: map all of it with one protection, or io_destroy it";
	if (ring && (ring->magic != AIO_RING_MAGIC || ring->nr != c->nr || ring->tail != c->tail))
		return "the ring of an AIO context whose header the program has overwritten: io_destroy it";
	return NULL;
}

static int survey_ring(struct dump *dump, struct dump_task *dt, int mem, const struct kernel_vma *v)
{
	struct aio_ring ring;
	const char *why;
	int err = pread_exact(mem, &ring, sizeof(ring), (off_t)v->start);

	if (err)
		return fail(err, "read the AIO ring at %#lx", v->start);
	why = unlike(v, context_at(dt, v->start), dump_is_check(dump) ? NULL : &ring);
	if (why)
		dump_blocker(dump, dt, -1, "mapping %lx-%lx %s: %s", v->start, v->end, v->name, why);
	return 0;
}

static const struct kernel_vma *next_ring(const struct dump_task *dt, size_t *at)
{
	while (*at < dt->maps.n)
		if (aio_is_ring(&dt->maps.v[(*at)++]))
			return &dt->maps.v[*at - 1];
	return NULL;
}

static int keep_contexts(struct dump *dump, struct dump_task *dt, const struct aio_contexts *all)
{
	dt->memory->aio = dump_alloc(dump, (all->n + 1) * sizeof(*dt->memory->aio));
	if (!dt->memory->aio)
		return fail(-ENOMEM, "AIO contexts");
	if (all->n)
		memcpy(dt->memory->aio, all->v, all->n * sizeof(*dt->memory->aio));
	dt->memory->nr_aio = all->n;
	return 0;
}

int aio_survey(struct dump *dump, struct dump_task *dt)
{
	_cleanup_close_ int mem = -1;
	struct aio_contexts all = { 0 };
	const struct kernel_vma *v;
	size_t at = 0;
	int err;

	v = next_ring(dt, &at);
	if (!v)
		return 0;
	err = reader_of(dump);
	if (!err) {
		mem = open_at(dt->proc.dir, "mem", O_RDONLY, 0);
		if (mem < 0)
			return fail(mem, "open /proc/%d/mem", dt->t.host_pid);
		err = read_at_rest(dump, mem, &all);
	}
	if (err) {
		dump_blocker(
			dump, dt, -1,
			"mapping %lx-%lx %s: an AIO context: its requests in flight can only be read from kernel memory (BPF), which fails here (%s): dump as root on a kernel with BTF, or run the program without native AIO",
			v->start, v->end, v->name, rights_reason(&dump->rights, RIGHT_READ_KERNEL_MEMORY, err));
		return 0;
	}
	err = keep_contexts(dump, dt, &all);
	array_free(&all);
	for (size_t i = 0; !err && i < dt->memory->nr_aio; i++)
		refuse_in_flight(dump, dt, &dt->memory->aio[i]);
	for (; !err && v; v = next_ring(dt, &at))
		err = survey_ring(dump, dt, mem, v);
	return err;
}

/* In the order of the kernel's numbers, in which they are recreated. */
int aio_save(struct dump *dump, struct dump_task *dt, MmEntry *mm)
{
	mm->aios = dump_alloc(dump, (dt->memory->nr_aio + 1) * sizeof(*mm->aios));
	if (!mm->aios)
		return fail(-ENOMEM, "AIO contexts");
	for (size_t i = 0; i < dt->memory->nr_aio; i++) {
		const struct aio_context *c = &dt->memory->aio[i];
		const struct kernel_vma *v = maps_find(&dt->maps, c->at);
		AioRingEntry *entry;

		/* Without its ring a context cannot be used any more. */
		if (!v || !aio_is_ring(v)) {
			log_info("AIO context %#lx is not saved: the process has unmapped its ring", c->at);
			continue;
		}
		entry = dump_alloc(dump, sizeof(*entry));
		if (!entry)
			return fail(-ENOMEM, "AIO contexts");
		aio_ring_entry__init(entry);
		entry->id = c->at;
		entry->nr_req = c->requests;
		entry->ring_len = (uint32_t)c->len;
		mm->aios[mm->n_aios++] = entry;
	}
	return 0;
}
