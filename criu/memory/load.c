/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks the images of an address space, before anything is created. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include "memory/aio.h"
#include "memory/lazy.h"
#include "memory/lazy_rule.h"
#include "memory/memory.h"
#include "memory/needs.h"
#include "memory/page_source.h"
#include "memory/shmem.h"
#include "memory/premap.h"
#include "memory/restore_memory.h"
#include "memory/vdso.h"
#include "memory/verify_pages.h"
#include "pie/vma.h"
#include "run/obstacles.h"
#include "run/progress.h"
#include "util/log.h"

#define SEGMENT_MAX (1ull << 46)
/* For hugetlb pages: the largest of any CPU have 16 GB. */
#define HUGE_SHIFT_MAX 34

static int bad_vma(const struct restore_task *rt, const VmaEntry *v, const char *why)
{
	log_error("mm-%d.img: VMA %lx-%lx: %s", rt->t.pid, v->start, v->end, why);
	return -EBADMSG;
}

static int check_file_vma(struct restore *r, struct restore_task *rt, const VmaEntry *v)
{
	char who[80];

	snprintf(who, sizeof(who), "mm-%d.img: VMA %lx", rt->t.pid, v->start);
	return restore_file(r, v->shmid, who) ? 0 : -EBADMSG;
}

static bool good_huge(const VmaEntry *v)
{
	uint32_t shift = v->flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(v->flags & MAP_HUGETLB) || !shift)
		return true;
	return shift <= HUGE_SHIFT_MAX && !((v->start | v->end | v->pgoff) & (BIT(shift) - 1));
}

static int check_vma(struct restore *r, struct restore_task *rt, const VmaEntry *v, uint64_t *end)
{
	if (v->start >= v->end || v->start % PAGE_SZ || v->end % PAGE_SZ)
		return bad_vma(rt, v, "not whole pages");
	if (v->status & VMA_VSYSCALL)
		return 0;
	if (v->end > USER_END_MAX)
		return bad_vma(rt, v, "beyond the end of user addresses");
	if (v->status & VMA_GUARD)
		return v->end <= *end ? 0 : bad_vma(rt, v, "a guard region outside a mapping");
	if (v->start < *end)
		return bad_vma(rt, v, "overlaps the one before it");
	*end = v->end;
	if (v->pgoff % PAGE_SZ)
		return bad_vma(rt, v, "its offset is not page-aligned");
	if (!good_huge(v))
		return bad_vma(rt, v, "not whole huge pages");
	if (v->status & VMA_SHADOW_STACK) {
		log_error("mm-%d.img: VMA %lx-%lx (status %#x) is not supported", rt->t.pid, v->start, v->end,
			  v->status);
		return -EOPNOTSUPP;
	}
	if (v->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return bad_vma(rt, v, "unknown protection");
	if (v->has_mempolicy && !memory_good_policy(v->mempolicy, &v->mempolicy_nodes))
		return bad_vma(rt, v, "unknown memory policy");
	if (v->status & VMA_AIO_RING)
		return 0;
	switch (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_SOCKET | VMA_ANON_SHARED | VMA_ANON_PRIVATE)) {
	case VMA_FILE_PRIVATE:
	case VMA_FILE_SHARED:
	case VMA_SOCKET:
		return check_file_vma(r, rt, v);
	case VMA_ANON_SHARED:
		if (v->pgoff > SEGMENT_MAX || v->pgoff + (v->end - v->start) > SEGMENT_MAX)
			return bad_vma(rt, v, "a segment larger than any memory");
		return 0;
	case VMA_ANON_PRIVATE:
		return 0;
	}
	return bad_vma(rt, v, "unknown type of mapping");
}

/* Every saved page must belong to a mapping that can contain it. */
static int check_pages(struct restore *r, struct restore_task *rt, const struct pagemap *map)
{
	uint64_t pages = 0;
	size_t at = 0;

	for (size_t i = 0; i < map->nr_runs; i++) {
		uint64_t addr = map->runs[i].vaddr, end = addr + map->runs[i].nr_pages * PAGE_SZ;

		bool remote = !(map->runs[i].flags & PAGEMAP_PRESENT);

		if (remote && !r->opts->lazy_pages) {
			log_error("pagemap-%d.img: pages at %lx are at the source of a lazy dump: restore --lazy-pages",
				  rt->t.pid, addr);
			return -EOPNOTSUPP;
		}
		while (addr < end) {
			const VmaEntry *v;

			while (at < rt->mm->n_vmas &&
			       (rt->mm->vmas[at]->end <= addr || (rt->mm->vmas[at]->status & VMA_GUARD)))
				at++;
			v = at < rt->mm->n_vmas ? rt->mm->vmas[at] : NULL;
			if (!v || v->start > addr || !vma_has_private_pages(v->status)) {
				log_error("pagemap-%d.img: pages at %lx do not belong to a private mapping", rt->t.pid,
					  addr);
				return -EBADMSG;
			}
			if (remote && !memory_vma_may_be_lazy(v)) {
				log_error("pagemap-%d.img: pages at %lx are not in the images, and cannot be lazy",
					  rt->t.pid, addr);
				return -EBADMSG;
			}
			if (!(v->flags & MAP_HUGETLB))
				pages += memory_needed_pages(r, &map->runs[i], addr, MIN_OF(end, v->end));
			addr = MIN_OF(end, v->end);
		}
	}
	r->plan.private_pages = MAX_OF(r->plan.private_pages, pages);
	return 0;
}

/* An anonymous segment may be larger than its mappings: mremap(2) makes them grow. That of SysV has a size of its own. */
static int check_shared(struct restore *r, const VmaEntry *vma)
{
	struct shmem_content content;
	bool fresh;
	uint64_t *size;
	int err = shmem_check(r, vma->shmid, &content);

	if (err)
		return err;
	if (!(vma->flags & MAP_HUGETLB))
		r->plan.shared_pages += content.pages;
	if (vma->status & VMA_SYSV)
		return 0;
	size = hash_slot_of(&r->plan.segment_sizes, segment_key(vma->shmid, false), &fresh);
	if (!size)
		return fail(-ENOMEM, "shared memory");
	*size = MAX_OF(*size, content.end);
	return 0;
}

int memory_load(struct restore *r, struct restore_task *rt)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	const struct pagemap *map;
	uint64_t end = 0;
	char who[64];
	int err;

	if (!rt->mm->n_vmas)
		return fail(-EBADMSG, "mm-%d.img: no mappings", rt->t.pid);
	for (size_t i = 0; i < rt->mm->n_vmas; i++) {
		err = check_vma(r, rt, rt->mm->vmas[i], &end);
		if (!err && (rt->mm->vmas[i]->status & (VMA_ANON_SHARED | VMA_SYSV)))
			err = check_shared(r, rt->mm->vmas[i]);
		if (err)
			return err;
	}
	if (rt->mm->mlock_future & ~(uint32_t)(MCL_FUTURE | MCL_ONFAULT))
		return fail(-EBADMSG, "mm-%d.img: mlock_future %#x", rt->t.pid, rt->mm->mlock_future);
	err = memory_arch_load(rt);
	if (!err)
		err = map_count_load(rt);
	if (err)
		return err;
	snprintf(who, sizeof(who), "mm-%d.img: the executable", rt->t.pid);
	if (!restore_file(r, rt->mm->exe_file_id, who))
		return -EBADMSG;
	err = page_source_open_task(r, rt, &source);
	if (err)
		return err;
	map = source->map;
	snprintf(who, sizeof(who), "pagemap-%d.img", rt->t.pid);
	err = restore_continues(r, pages_verify(r, map, who));
	if (err)
		return err;
	if (r->opts->lazy_pages && map->has_blocks)
		return fail(-EOPNOTSUPP,
			    "pagemap-%d.img: --lazy-pages with compressed images is not supported: restore without it",
			    rt->t.pid);
	rt->nr_runs = map->nr_runs;
	for (size_t i = 0; i < map->nr_runs; i++)
		if (!r->opts->lazy_pages || !(map->runs[i].flags & PAGEMAP_LAZY))
			progress_expect(r->opts->progress, map->runs[i].nr_pages * PAGE_SZ);
	err = check_pages(r, rt, map);
	if (!err)
		err = aio_load(rt, map);
	if (!err && pagemap_keep(map, &r->arena, &rt->pagemap) < 0)
		err = fail(-ENOMEM, "page map");
	return err;
}

int memory_link(struct restore *r)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_maps_ struct maps maps = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = maps_read(&self, &maps);
	if (err)
		return fail(err, "read the map of this process");
	/* Both once, inherited by all: before the tree is forked. */
	err = vdso_probe(&maps);
	if (!err)
		err = holes_plan(r, &maps);
	return err ? err : premap_link(r);
}
