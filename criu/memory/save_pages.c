/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of private memory: each classified run is added to the sink, and then all of their content. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "memory/copy_pages.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/shared_pages.h"
#include "memory/snapshot.h"
#include "memory/tracking.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

struct saving {
	struct dump *dump;
	struct dump_task *dt;
	struct page_copy copy;
	size_t next_vma; /* of dt->vma_flags */
	struct shared_pages shared; /* where pages have not been counted */
};

/* What the kernel reports about the mapping; NULL: nothing is known. Mappings come in ascending order. */
static const struct vma_flags *flags_of(struct saving *s, const VmaEntry *vma)
{
	const struct vma_flags_array *flags = &s->dt->vma_flags;

	while (s->next_vma < flags->n && flags->v[s->next_vma].end <= vma->start)
		s->next_vma++;
	return s->next_vma < flags->n ? &flags->v[s->next_vma] : NULL;
}

/*
 * process_vm_readv pins the pages that it reads, and pinning gives the target its own copy of every page that it shares
 * by copy-on-write (gup_must_unshare in mm/gup.c, Linux 5.19): a tree of forks would grow while it is dumped.
 * /proc/PID/mem only reads, at half the speed.
 */
static bool has_shared_pages(const struct saving *s, const VmaEntry *vma, const struct vma_flags *f)
{
	/* The pid of a process that runs may be that of other memory. */
	if (s->dt->memory->snapshot || dump_is_pre_dump(s->dump) || !f)
		return true;
	/* Each part is looked at when it is read: not now, but while another one is written. */
	if (f->not_counted)
		return !s->copy.from.shared;
	/* Neither count includes huge pages of hugetlbfs. */
	return f->pss_kb != f->rss_kb || f->swap_kb || (vma->flags & MAP_HUGETLB);
}

static int add_aside(struct saving *s, uint64_t len)
{
	struct snapshot *snap = s->dt->memory->snapshot;
	const char *data = snap->aside + snap->aside_next;

	if (len > snap->aside_len - snap->aside_next)
		return fail(-EIO, "copied pages are missing");
	snap->aside_next += len;
	return page_copy_add_ready(&s->copy, data, len);
}

static void count(struct dump_stats *stats, const struct page_run *run)
{
	uint64_t pages = (run->end - run->start) / PAGE_SZ;

	if (run->outcome == PAGES_SKIP)
		return;
	stats->pages_scanned += pages;
	if (run->outcome == PAGES_PARENT)
		stats->pages_skipped_parent += pages;
	if (run->outcome == PAGES_SAME)
		stats->pages_same += pages;
	if (run->may_be_lazy && run->outcome != PAGES_SAME)
		stats->pages_lazy += pages;
	if (!page_run_has_content(run))
		return;
	stats->pages_written += pages;
}

/* CRIU restores these without decompressing them. */
static bool is_special(const VmaEntry *vma)
{
	return vma->flags & MAP_HUGETLB || vma->status & (VMA_VDSO | VMA_VVAR | VMA_AIO_RING);
}

static int add_one(void *arg, const VmaEntry *vma, const struct page_run *found)
{
	struct saving *s = arg;
	const struct vma_flags *flags = flags_of(s, vma);
	struct page_run as_found = *found;
	const struct page_run *run = &as_found;
	int err;

	if (!flags || !flags->not_counted || !s->dt->memory->huge_seen)
		as_found.in_huge_pages = flags && flags->thp_kb;
	as_found.incompressible = is_special(vma);
	err = s->copy.sink->ops->add_run(s->copy.sink, run);
	count(&s->dump->stats.dump, run);
	if (err || !page_run_has_content(run))
		return err;
	if (s->dt->memory->snapshot && snapshot_lacks(vma))
		return add_aside(s, run->end - run->start);
	return page_copy_add(&s->copy, run, has_shared_pages(s, vma, flags));
}

static int add_run(void *arg, const VmaEntry *vma, const struct page_run *run)
{
	struct saving *s = arg;

	if (s->dump->opts->lazy_pages && run->may_be_lazy && run->outcome == PAGES_WRITE)
		return memory_lazy_split(s->dt, vma, run, add_one, s);
	return add_one(s, vma, run);
}

/* A failure leaves it unknown which pages are shared: all may be. */
static void open_shared(struct saving *s)
{
	const struct dump_task *dt = s->dt;

	if (dt->memory->snapshot || dump_is_pre_dump(s->dump) || !dt->vma_flags.n || !dt->vma_flags.v[0].not_counted)
		return;
	if (!shared_pages_open(&dt->proc, &s->shared))
		s->copy.from.shared = &s->shared;
}

static int save(struct saving *s, const MmEntry *mm)
{
	struct page_copy *copy = &s->copy;
	int err;

	open_shared(s);
	err = memory_classify_pages(s->dt, mm, add_run, s);

	if (err)
		return err;
	err = page_copy_run(copy);
	s->dump->stats.dump.pages_written -= copy->zero_bytes / PAGE_SZ;
	s->dump->stats.dump.pages_lazy -= copy->lazy_zero_bytes / PAGE_SZ;
	s->dump->stats.dump.memdump_time += copy->read_us;
	s->dump->stats.dump.memwrite_time += copy->write_us;
	return err;
}

int memory_save_pages(struct dump *dump, struct dump_task *dt, const MmEntry *mm)
{
	_cleanup_page_sink_ struct page_sink *sink = NULL;
	_cleanup_close_ int mem = -1;
	struct saving s = { .dump = dump, .dt = dt, .shared = SHARED_PAGES_CLOSED };
	int err = page_sink_open(dump, IMAGE_PAGEMAP, dt->t.pid, &sink);

	if (err)
		return err;
	if (dump_is_pre_dump(dump))
		mem = dup_fd_above(dt->memory->track->mem, 3);
	else
		mem = dt->memory->snapshot ? dup_fd_above(dt->memory->snapshot->mem, 3) :
					     open_at(dt->proc.dir, "mem", O_RDONLY, 0);
	if (mem < 0)
		return fail(mem, "open /proc/%d/mem", dt->t.host_pid);
	s.copy.sink = sink;
	s.copy.progress = dump->opts->progress;
	s.copy.buffer = &dump->memory->page_buffer;
	s.copy.between = dump->between_pages;
	s.copy.between_arg = dump;
	s.copy.from = (struct page_origin){ "memory", dt->t.host_pid, mem, UINT64_MAX, NULL, NULL };
	if (dump_is_pre_dump(dump))
		s.copy.from.running = &dt->memory->track->scan;
	err = save(&s, mm);
	page_copy_free(&s.copy);
	shared_pages_close(&s.shared);
	return err ? err : page_sink_finish(&sink);
}
