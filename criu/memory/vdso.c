// SPDX-License-Identifier: GPL-2.0-only
/* Decides which vDSO a restored task gets, and where: see pie/restorer/vdso.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/cleanup.h"
#include "kernel/maps.h"
#include "memory/memory.h"
#include "memory/vdso.h"
#include "memory/vdso_code.h"
#include "memory/vdso_elf.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

/* A range of addresses; start == end: none. */
struct span {
	uint64_t start, end;
	uint32_t prot;
};

/* That of this kernel: a probe cache. */
static struct {
	bool done;
	struct wire_vdso_part parts[WIRE_VDSO_PARTS];
	size_t nr_parts;
	struct span all, vvar, vdso;
	struct vdso_symbols symbols; /* of vdso, if there is one */
	uint8_t *bytes; /* a copy of vdso, which each task would need a page fault for every page of */
} own;

/* That of the image. */
struct saved_vdso {
	struct span vvar, vdso;
	const uint8_t *bytes; /* content of vdso; NULL: the image does not contain it completely */
	uint8_t *own; /* where they were read to, unless they are in a view */
	struct vdso_symbols symbols;
};

static uint64_t span_len(const struct span *s)
{
	return s->end - s->start;
}

/* False: @s ends before @start. */
static bool span_grow(struct span *s, uint64_t start, uint64_t end, uint32_t prot)
{
	if (!span_len(s))
		*s = (struct span){ start, end, prot };
	else if (s->end == start)
		s->end = end;
	else
		return false;
	return true;
}

/* ---- that of this kernel ------------------------------------------------------------------ */

static int probe_parts(const struct maps *maps)
{
	const struct kernel_vma *v;

	array_for_each(v, maps) {
		bool vdso = !strcmp(v->name, "[vdso]");

		if (!vdso && strncmp(v->name, "[vvar", 5))
			continue;
		if (own.nr_parts == WIRE_VDSO_PARTS ||
		    !span_grow(vdso ? &own.vdso : &own.vvar, v->start, v->end, v->prot))
			return fail(-EOPNOTSUPP, "the vDSO of this process is not contiguous (%s at %lx)", v->name,
				    v->start);
		own.parts[own.nr_parts++] = (struct wire_vdso_part){
			.now = v->start, .len = v->end - v->start, .prot = v->prot, .prot_now = v->prot
		};
	}
	if (own.nr_parts) {
		own.all.start = own.parts[0].now;
		own.all.end = own.parts[own.nr_parts - 1].now + own.parts[own.nr_parts - 1].len;
	}
	return 0;
}

static int probe_self(void)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_maps_ struct maps maps = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = maps_read(&self, &maps);
	return err < 0 ? fail(err, "read the map of this process") : vdso_probe(&maps);
}

static int copy_own(void)
{
	own.bytes = malloc(span_len(&own.vdso));
	if (!own.bytes)
		return fail(-ENOMEM, "vDSO");
	memcpy(own.bytes, (const void *)(uintptr_t)own.vdso.start, span_len(&own.vdso));
	return 0;
}

int vdso_probe(const struct maps *maps)
{
	const char *why = NULL;
	int err;

	if (own.done)
		return 0;
	free(own.bytes);
	memset(&own, 0, sizeof(own));
	err = probe_parts(maps);
	if (err < 0)
		return err;
	if (span_len(&own.all) > VDSO_MAX_LEN)
		return fail(-EOPNOTSUPP, "the vDSO of this process is too far from its data");
	err = span_len(&own.vdso) ? copy_own() : 0;
	if (err < 0)
		return err;
	if (own.bytes)
		why = vdso_parse(own.bytes, span_len(&own.vdso), &own.symbols);
	if (why)
		return fail(-EOPNOTSUPP, "the vDSO of this kernel: %s", why);
	own.done = true;
	return 0;
}

/* ---- that of the image ------------------------------------------------------------------- */

/* The range of mappings with @status that contains @want, otherwise the first one. */
static struct span find_saved(const MmEntry *mm, uint32_t status, uint64_t want)
{
	struct span first = { 0 }, at = { 0 };

	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *v = mm->vmas[i];

		if (!(v->status & status))
			continue;
		if (!span_grow(&at, v->start, v->end, v->prot))
			at = (struct span){ v->start, v->end, v->prot };
		if (!span_len(&first) || first.start == at.start)
			first = at;
		if (want >= at.start && want < at.end)
			first = at;
	}
	return first;
}

static uint64_t saved_auxv(const MmEntry *mm, uint64_t type)
{
	for (size_t i = 0; i + 1 < mm->n_mm_saved_auxv; i += 2)
		if (mm->mm_saved_auxv[i] == type)
			return mm->mm_saved_auxv[i + 1];
	return 0;
}

/* 1: all of it; 0: the image does not contain every page. */
static int read_saved(const struct page_source *source, const struct span *span, uint8_t *to)
{
	const struct pagemap *map = source->map;
	const struct pagemap_run *run = pagemap_find(map, span->start);
	uint64_t at = span->start;

	for (; run && run < map->runs + map->nr_runs && at < span->end; run++) {
		uint64_t end = MIN_OF(run->vaddr + run->nr_pages * PAGE_SZ, span->end);
		int err;

		if (run->vaddr > at || !(run->flags & PAGEMAP_PRESENT))
			return 0;
		err = source->ops->read(source, run, at, to + (at - span->start), end - at);
		if (err < 0)
			return fail(err, "read the image's vDSO from its pages");
		at = end;
	}
	return at == span->end;
}

/* As read_saved. */
static int get_bytes(const struct page_source *source, struct saved_vdso *saved)
{
	const struct pagemap_run *run = pagemap_find(source->map, saved->vdso.start);
	int got;

	if (source->view && run && !run->blocks && run->vaddr <= saved->vdso.start &&
	    run->vaddr + run->nr_pages * PAGE_SZ >= saved->vdso.end && (run->flags & PAGEMAP_PRESENT)) {
		saved->bytes = page_view_at(source->view, run, saved->vdso.start);
		return 1;
	}
	saved->own = malloc(span_len(&saved->vdso));
	if (!saved->own)
		return fail(-ENOMEM, "vDSO");
	got = read_saved(source, &saved->vdso, saved->own);
	saved->bytes = got > 0 ? saved->own : NULL;
	return got;
}

/* Usually it was the same kernel. */
static bool is_own(const struct saved_vdso *saved)
{
	return span_len(&saved->vdso) == span_len(&own.vdso) && !memcmp(saved->bytes, own.bytes, span_len(&own.vdso));
}

#define AT_SYSINFO_EHDR 33

static int load_saved(const struct restore_task *rt, const struct page_source *source, struct saved_vdso *saved)
{
	const char *why;
	int got;

	saved->vdso = find_saved(rt->mm, VMA_VDSO, saved_auxv(rt->mm, AT_SYSINFO_EHDR));
	saved->vvar = find_saved(rt->mm, VMA_VVAR, saved->vdso.start - 1);
	if (!span_len(&saved->vdso))
		return 0;
	if (span_len(&saved->vdso) > VDSO_MAX_LEN)
		return fail(-EBADMSG, "the image's vDSO at %#lx is %lu bytes long", saved->vdso.start,
			    span_len(&saved->vdso));
	got = get_bytes(source, saved);
	if (got <= 0)
		return got;
	if (is_own(saved)) {
		saved->symbols = own.symbols;
		return 0;
	}
	why = vdso_parse(saved->bytes, span_len(&saved->vdso), &saved->symbols);
	return why ? fail(-EBADMSG, "the image's vDSO at %#lx: %s", saved->vdso.start, why) : 0;
}

static bool same_layout(const struct saved_vdso *saved)
{
	return span_len(&saved->vdso) == span_len(&own.vdso) && span_len(&saved->vvar) == span_len(&own.vvar) &&
	       (!span_len(&own.vvar) || saved->vdso.start - saved->vvar.start == own.vdso.start - own.vvar.start);
}

/* ---- plan ------------------------------------------------------------------------------- */

/* A thread can continue inside the vDSO only if the code there is the one that it was stopped in. */
static int check_threads(const struct restore_task *rt, const struct saved_vdso *saved, const struct wire_task *wire)
{
	const struct wire_vdso_patch *patch = (const struct wire_vdso_patch *)(uintptr_t)wire->vdso_patches;
	size_t loaded = MIN_OF(saved->symbols.loaded, span_len(&saved->vdso));

	if (!saved->bytes || (!patch && !memcmp(saved->bytes, own.bytes, loaded)))
		return 0;
	for (size_t i = 0; i < rt->nr_threads; i++) {
		uint64_t ip = vdso_code_saved_ip(rt->threads[i].core);
		bool fine = patch && vdso_code_at_syscall(saved->bytes, span_len(&saved->vdso), ip - saved->vdso.start);

		if (ip < saved->vdso.start || ip >= saved->vdso.end)
			continue;
		for (size_t k = 0; patch && k < wire->nr_vdso_patches; k++) {
			if (ip == patch[k].at)
				fine = true;
			else if (ip > patch[k].at && ip < patch[k].at + patch[k].len)
				fine = false;
		}
		if (!fine)
			return fail(
				-EOPNOTSUPP,
				"thread %d was stopped inside the vDSO (at %#lx), and this kernel's is a different one: dump "
				"again, or restore on the kernel that it was dumped on",
				rt->threads[i].id.tid, ip);
	}
	return 0;
}

/* Reserves addresses, so that nothing else is placed there until everything is unmapped. */
static int reserve(struct restore *r, struct restore_task *rt, const struct wire_task *wire, uint64_t len,
		   uint64_t *ret_addr)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	uint64_t addr;
	void *at;
	int err;

	/*
	 * The range of the stage is assigned, but nothing is mapped there that would reserve it. (If something is, even
	 * better.)
	 */
	if (wire->stage_len &&
	    mmap((void *)(uintptr_t)wire->stage, wire->stage_len, PROT_NONE, flags, -1, 0) == MAP_FAILED)
		log_debug("reserve the stage: %m");
	err = memory_find_hole(r, rt, len, &addr);
	if (err < 0)
		return err;
	at = mmap((void *)(uintptr_t)addr, len, PROT_NONE, flags, -1, 0);
	if (at == MAP_FAILED)
		return fail(-errno, "reserve %lu bytes at %#lx for the vDSO", len, addr);
	*ret_addr = addr;
	return 0;
}

static void put_parts(struct wire_task *wire, const struct span *which, uint64_t to, uint32_t prot)
{
	for (size_t i = 0; i < wire->nr_vdso_parts; i++) {
		struct wire_vdso_part *part = &wire->vdso_parts[i];

		if (part->now < which->start || part->now >= which->end)
			continue;
		part->then = part->now - which->start + to;
		part->prot = prot;
	}
}

/* Would a part move to where another one, or itself, still is? */
static bool in_the_way(const struct wire_task *wire)
{
	for (size_t i = 0; i < wire->nr_vdso_parts; i++) {
		const struct wire_vdso_part *a = &wire->vdso_parts[i];

		for (size_t k = 0; a->then && a->then != a->now && k < wire->nr_vdso_parts; k++) {
			const struct wire_vdso_part *b = &wire->vdso_parts[k];

			if (b->then && a->then < b->now + b->len && b->now < a->then + a->len)
				return true;
		}
	}
	return false;
}

static int plan_move(struct restore *r, struct restore_task *rt, struct wire_task *wire, const struct saved_vdso *saved)
{
	if (span_len(&saved->vdso))
		put_parts(wire, &own.vdso, saved->vdso.start, saved->vdso.prot);
	if (span_len(&saved->vvar) == span_len(&own.vvar))
		put_parts(wire, &own.vvar, saved->vvar.start, saved->vvar.prot);
	return in_the_way(wire) ? reserve(r, rt, wire, span_len(&own.all), &wire->vdso_detour) : 0;
}

static int plan_proxy(struct restore *r, struct restore_task *rt, struct wire_task *wire,
		      const struct saved_vdso *saved)
{
	struct wire_vdso_patch patches[VDSO_MAX_SYMBOLS];
	struct vdso_at old = { &saved->symbols, saved->vdso.start, span_len(&saved->vdso) };
	struct vdso_at ours = { .symbols = span_len(&own.vdso) ? &own.symbols : NULL, .len = span_len(&own.vdso) };
	uint64_t park = 0;
	size_t nr;
	void *to;
	int err;

	log_debug("the vDSO at %#lx is not this kernel's: its functions are replaced by jumps", saved->vdso.start);
	if (own.nr_parts) {
		err = reserve(r, rt, wire, span_len(&own.all), &park);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < wire->nr_vdso_parts; i++)
		wire->vdso_parts[i].then = park + (wire->vdso_parts[i].now - own.all.start);
	ours.at = park + (own.vdso.start - own.all.start);
	err = vdso_make_patches(&old, &ours, patches, &nr);
	if (err < 0)
		return err;
	to = wire_alloc(wire, MAX_OF(nr, 1ul) * sizeof(*patches));
	if (!to)
		return fail(-ENOMEM, "code for the image's vDSO");
	wire->vdso_patches = (uintptr_t)memcpy(to, patches, nr * sizeof(*patches));
	wire->nr_vdso_patches = nr;
	wire->vdso_old = (struct wire_range){ saved->vdso.start, saved->vdso.end };
	wire->vdso_old_prot = saved->vdso.prot;
	return 0;
}

static int plan(struct restore *r, struct restore_task *rt, struct wire_task *wire, const struct saved_vdso *saved)
{
	int err;

	if (!span_len(&saved->vdso))
		return plan_move(r, rt, wire, saved);
	if (!saved->bytes && !same_layout(saved))
		return fail(
			-EBADMSG,
			"the image does not contain the pages of its vDSO at %#lx, and this kernel's has a different "
			"layout: restore on the kernel that it was dumped on",
			saved->vdso.start);
	if (!saved->bytes)
		log_warn("the image does not contain the pages of its vDSO: assuming that this kernel's is the same");
	if (same_layout(saved) && (!saved->bytes || vdso_same_symbols(&saved->symbols, &own.symbols)))
		err = plan_move(r, rt, wire, saved);
	else
		err = plan_proxy(r, rt, wire, saved);
	return err < 0 ? err : check_threads(rt, saved, wire);
}

static void note_placed(struct wire_task *wire)
{
	struct wire_range placed = { UINT64_MAX, 0 };

	for (size_t i = 0; i < wire->nr_vdso_parts; i++) {
		const struct wire_vdso_part *part = &wire->vdso_parts[i];

		if (!part->then)
			continue;
		placed.start = MIN_OF(placed.start, part->then);
		placed.end = MAX_OF(placed.end, part->then + part->len);
	}
	wire->vdso_placed = placed.end ? placed : (struct wire_range){ 0 };
}

uint64_t vdso_code_place(const struct wire_task *wire)
{
	for (size_t i = 0; i < wire->nr_vdso_parts; i++) {
		const struct wire_vdso_part *part = &wire->vdso_parts[i];

		if (part->then && own.vdso.start >= part->now && own.vdso.start < part->now + part->len)
			return part->then + (own.vdso.start - part->now);
	}
	return 0;
}

int vdso_plan(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire)
{
	struct saved_vdso saved = { 0 };
	int err = own.done ? 0 : probe_self();

	if (err < 0)
		return err;
	memcpy(wire->vdso_parts, own.parts, sizeof(own.parts));
	wire->nr_vdso_parts = own.nr_parts;
	wire->nr_vdso_patches = 0;
	wire->vdso_detour = wire->vdso_patches = 0;
	wire->vdso_old = (struct wire_range){ 0 };
	err = load_saved(rt, source, &saved);
	if (!err)
		err = plan(r, rt, wire, &saved);
	note_placed(wire);
	free(saved.own);
	return err;
}
