/* SPDX-License-Identifier: GPL-2.0-only */
/* In the task: what the restorer maps where, from which descriptor, and which pages it loads. */
#include <errno.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "memory/aio.h"
#include "memory/direct_io.h"
#include "memory/feed.h"
#include "memory/lazy.h"
#include "memory/lazy_rule.h"
#include "memory/mapped_files.h"
#include "memory/memory.h"
#include "memory/premap.h"
#include "memory/restore_memory.h"
#include "memory/vdso.h"
#include "pie/vma.h"
#include "util/log.h"

/* 0: it can be mapped as it is. */
static uint64_t whole_of(const struct file *file, const VmaEntry *v)
{
	uint64_t size = file->kind->mapping_size ? file->kind->mapping_size(file) : 0, len = v->end - v->start;

	return v->pgoff + len <= size && len < size ? size : 0;
}

/* The mappings of one task for the restorer. */
struct layout {
	struct restore *r;
	struct wire_task *wire;
};

/* "[anon:x]" is shown for the name x. */
static int fill_name(struct layout *l, const VmaEntry *v, struct wire_vma *w)
{
	char *name = wire_alloc(l->wire, strlen(v->anon_name) + 1);
	size_t len = strlen(v->anon_name);

	if (!name)
		return fail(-ENOMEM, "names of mappings");
	if (len > 7 && !strncmp(v->anon_name, "[anon:", 6)) {
		memcpy(name, v->anon_name + 6, len - 7);
		w->name = (uintptr_t)name;
	}
	return 0;
}

static int fill_policy(struct layout *l, const VmaEntry *v, struct wire_vma *w)
{
	char whose[64];

	snprintf(whose, sizeof(whose), "mapping %lx-%lx", v->start, v->end);
	return memory_lay_policy(l->wire, whose, v->mempolicy, &v->mempolicy_nodes, &w->policy);
}

/* The mapped object. */
static int fill_object(struct layout *l, const VmaEntry *v, struct wire_vma *w)
{
	struct restore *r = l->r;
	uint64_t fd;

	if (v->status & VMA_AIO_RING) {
		w->staged = aio_waits_at(l->wire, v->start);
		w->prot_now = WIRE_PROT_UNKNOWN;
	} else if (v->status & VMA_SYSV) {
		w->shmid = v->shmid;
		w->prot_now = WIRE_PROT_UNKNOWN;
		if (!hash_get(&r->plan.segment_sizes, segment_key(v->shmid, true), &w->segment_len))
			return fail(-EBADMSG, "no SysV segment %lu", v->shmid);
	} else if (v->status & VMA_ANON_SHARED) {
		if (!hash_get(&r->segment_fds, segment_key(v->shmid, false), &fd))
			return fail(-EBADMSG, "no shared segment %lu", v->shmid);
		w->fd = fd;
		w->flags &= ~(uint64_t)MAP_ANONYMOUS;
	} else if (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_SOCKET)) {
		const struct file *file = restore_file(r, v->shmid, "a mapping");

		w->flags &= ~(uint64_t)MAP_ANONYMOUS;
		w->unplaced = file->kind->unplaced;
		w->whole = whole_of(file, v);
		return w->staged ? 0 : mapped_file(r, v, &w->fd);
	} else {
		w->flags |= MAP_ANONYMOUS;
	}
	return 0;
}

static int fill_vma(struct layout *l, const VmaEntry *v, struct wire_vma *w)
{
	int err;

	*w = (struct wire_vma){ .start = v->start,
				.end = v->end,
				.pgoff = v->pgoff,
				.prot = v->prot,
				.flags = v->flags,
				.status = v->status,
				.fd = -1,
				.shmid = -1,
				.lazy = l->r->process.uffd >= 0 && memory_vma_may_be_lazy(v),
				.madv = v->has_madv ? v->madv : 0,
				.staged = premap_address(l->r->process.premap, v) };
	/* Staged pages are in a writable mapping (premap_stage.c). */
	w->prot_now = w->staged ? PROT_READ | PROT_WRITE : w->prot;
	w->flags &= ~(uint64_t)(MAP_FIXED | MAP_LOCKED);
	if (v->flags & MAP_LOCKED)
		w->locked = v->lock_on_fault ? 2 : 1;
	w->sealed = v->sealed;
	err = v->anon_name ? fill_name(l, v, w) : 0;
	if (!err && v->has_mempolicy)
		err = fill_policy(l, v, w);
	return err ? err : fill_object(l, v, w);
}

static int fill_vmas(struct layout *l, const MmEntry *mm)
{
	struct wire_task *wire = l->wire;
	struct wire_vma *w = wire_alloc(wire, mm->n_vmas * sizeof(*w));

	if (!w)
		return fail(-ENOMEM, "VMAs");
	wire->vmas = (uintptr_t)w;
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *v = mm->vmas[i];
		int err;

		/* The kernel provides these; [vdso] and [vvar] are usually moved, not mapped. */
		if ((v->status & VMA_VSYSCALL) ||
		    ((v->status & (VMA_VDSO | VMA_VVAR)) && vdso_places(wire, v->start, v->end)))
			continue;
		err = fill_vma(l, v, w);
		if (err)
			return err;
		w++;
	}
	wire->nr_vmas = w - (struct wire_vma *)(uintptr_t)wire->vmas;
	return 0;
}

static int plan_vmas(struct restore *r, const struct restore_task *rt, struct wire_task *wire)
{
	struct layout l = { .r = r, .wire = wire };

	return fill_vmas(&l, rt->mm);
}

/* A piece of a run, except for the vDSO that the kernel provides. Returns how many were appended to @io, if any. */
static size_t push_piece(const struct wire_task *wire, struct wire_io *io, const struct wire_io *piece)
{
	uint64_t end = piece->addr + piece->len;
	size_t n = 0;

	if (!vdso_places(wire, piece->addr, end)) {
		if (io)
			io[0] = *piece;
		return 1;
	}
	if (piece->addr < wire->vdso_placed.start) {
		if (io) {
			io[n] = *piece;
			io[n].len = wire->vdso_placed.start - piece->addr;
		}
		n++;
	}
	if (end > wire->vdso_placed.end) {
		if (io) {
			io[n] = *piece;
			io[n].addr = wire->vdso_placed.end;
			io[n].offset += wire->vdso_placed.end - piece->addr;
			io[n].len = end - wire->vdso_placed.end;
		}
		n++;
	}
	return n;
}

/* With lazy pages nothing is staged. */
static uint64_t next_read(struct restore *r, const struct pagemap_run *run, uint64_t at, uint64_t end,
			  uint64_t *ret_stop)
{
	return r->process.uffd >= 0 ? memory_lazy_skip(r, run, at, end, ret_stop) :
				      premap_missing(r->process.premap, at, end, ret_stop);
}

/* Staged pages are not read. Without @io runs are only counted, in *ret_n. */
static int push_runs(struct restore *r, const struct wire_task *wire, const struct page_source *source,
		     struct wire_io *io, size_t *ret_n)
{
	const struct pagemap *map = source->map;
	size_t n = 0;

	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];
		uint64_t at = run->vaddr, end = at + run->nr_pages * PAGE_SZ, stop;

		while ((at = next_read(r, run, at, end, &stop)) < end) {
			struct wire_io piece = { .addr = at, .len = stop - at };
			struct page_place place;

			if (!page_source_direct(source, run, at, &place))
				return fail(-EOPNOTSUPP,
					    "pages at %lx: they are not in a file, and have not been supplied", at);
			piece.fd = place.fd;
			piece.offset = place.offset;
			n += push_piece(wire, io ? io + n : NULL, &piece);
			at = stop;
		}
	}
	*ret_n = n;
	return 0;
}

static int fill_ios(struct restore *r, struct wire_task *wire, const struct page_source *source)
{
	struct wire_io *io;
	size_t n;
	int err = push_runs(r, wire, source, NULL, &n);

	if (err)
		return err;
	io = wire_alloc(wire, (n + 1) * sizeof(*io));
	if (!io)
		return fail(-ENOMEM, "page map");
	wire->ios = (uintptr_t)io;
	return push_runs(r, wire, source, io, &wire->nr_ios);
}

/* Fields of the mm: set all at once, checked against each other by the kernel (PR_SET_MM_MAP, prctl(2)). */
static int fill_mm_map(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	const MmEntry *mm = rt->mm;
	struct prctl_mm_map *map = wire_alloc(wire, sizeof(*map));
	size_t nr = mm->n_mm_saved_auxv;
	uint64_t *auxv = wire_alloc(wire, (nr + 2) * sizeof(*auxv));
	int fd;

	if (!map || !auxv)
		return fail(-ENOMEM, "mm fields");
	memcpy(auxv, mm->mm_saved_auxv, nr * sizeof(*auxv));
	auxv[nr] = auxv[nr + 1] = 0;
	fd = mapped_executable(r, mm);
	if (fd < 0)
		return fd;
	*map = (struct prctl_mm_map){
		.start_code = mm->mm_start_code,
		.end_code = mm->mm_end_code,
		.start_data = mm->mm_start_data,
		.end_data = mm->mm_end_data,
		.start_brk = mm->mm_start_brk,
		.brk = mm->mm_brk,
		.start_stack = mm->mm_start_stack,
		.arg_start = mm->mm_arg_start,
		.arg_end = mm->mm_arg_end,
		.env_start = mm->mm_env_start,
		.env_end = mm->mm_env_end,
		.auxv = (void *)auxv,
		.auxv_size = (nr + 2) * sizeof(*auxv),
		.exe_fd = fd,
	};
	wire->mm_map = (uintptr_t)map;
	return 0;
}

/* What has to be compared with the image: the vDSO, and pages inherited from the parent. */
static int compare(struct restore *r, struct restore_task *rt, struct page_source *source)
{
	struct page_view view = { 0 };
	int err = premap_inherits(r->process.premap) ? source->ops->view(source, &view) : 0;

	source->view = view.map ? &view : NULL;
	if (!err)
		err = vdso_plan(r, rt, source, r->process.wire);
	if (!err && source->view)
		err = premap_settle(r->process.premap, &view, &r->shared->state->counts);
	source->view = NULL;
	page_view_close(&view);
	return err;
}

int memory_prepare(struct restore *r, struct restore_task *rt)
{
	int err = page_source_open_task(r, rt, &r->process.pages);

	if (!err)
		err = r->process.pages->ops->move_fds(r->process.pages, r->service_base);
	if (!err)
		err = memory_lazy_begin(r, rt, r->process.pages->map);
	return err ? err : compare(r, rt, r->process.pages);
}

int memory_hand_over(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	/* Not closed: its descriptors remain in use by the restorer. */
	const struct page_source *source = r->process.pages;
	int err = memory_feed(r, rt, source);

	if (!err)
		err = aio_hand_over(r, rt, source, wire);

	if (!err)
		err = plan_vmas(r, rt, wire);
	if (!err && r->process.uffd >= 0) {
		wire->has_uffd = 1;
		wire->uffd = r->process.uffd;
		memory_lazy_mark(source->map, wire);
	}
	if (!err)
		err = fill_ios(r, wire, source);
	if (!err)
		direct_io_for_restorer(r, wire);
	if (!err)
		err = fill_mm_map(r, rt, wire);
	if (!err)
		err = memory_arch_hand_over(rt, wire);
	r->shared->tasks[rt->t.index].vdso = vdso_code_place(wire);
	wire->mlock_future = rt->mm->mlock_future;
	wire->thp_disabled = rt->mm->has_thp_disabled && rt->mm->thp_disabled;
	return err;
}
