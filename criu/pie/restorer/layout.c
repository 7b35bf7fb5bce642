/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* Unmaps everything that the tool mapped, and maps everything that the task had mapped. */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/shm.h>
#include "base/bits.h"
#include "pie/vma.h"
#include "pie/restorer/core.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define NR_MSEAL 462 /* Linux 6.10 */

static long unmap(uint64_t start, uint64_t end)
{
	return end > start ? sys_munmap((void *)start, end - start) : 0;
}

int layout_unmap(struct wire_task *task)
{
	const struct wire_range *range = (void *)task->reserved;
	uint64_t at = 0;

	for (uint64_t i = 0; i < task->nr_reserved; i++) {
		long err = unmap(at, range[i].start);

		if (err)
			return restorer_fail(task, err, "unmap the tool's memory");
		at = range[i].end;
	}
	return unmap(at, USER_END) ? restorer_fail(task, -EINVAL, "unmap the tool's memory") : 0;
}

/* mprotect(2) and mbind(2) split the mapping of a SysV segment, which is attached as a whole: by its first part. */
static bool is_continued(const struct wire_vma *v, const struct wire_vma *next)
{
	return v->shmid >= 0 && v->shmid == next->shmid && v->end == next->start &&
	       v->pgoff + (v->end - v->start) == next->pgoff;
}

/* shmat(2) attaches the whole segment: the rest of it is unmapped again. Its range is reserved meanwhile. */
static long attach_part(const struct wire_vma *v, uint64_t len, int flags)
{
	uint64_t after = v->segment_len - v->pgoff - len;
	long err = sys_mmap((void *)v->start, len, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	long at = err == (long)v->start ? sys_shmat(v->shmid, NULL, flags) : err;

	if (at < 0 && at > -4096)
		return at;
	if (v->pgoff)
		sys_munmap((void *)at, v->pgoff);
	if (after)
		sys_munmap((void *)(at + v->pgoff + len), after);
	return sys_mremap((void *)(at + v->pgoff), len, len, MREMAP_FIXED | MREMAP_MAYMOVE, (void *)v->start);
}

static long attach(const struct wire_vma *v, const struct wire_vma *end)
{
	const struct wire_vma *at = v;
	uint32_t prot = v->prot;
	uint64_t len;
	int flags;

	while (at + 1 < end && is_continued(at, at + 1))
		prot |= (++at)->prot;
	len = at->end - v->start;
	flags = prot & PROT_WRITE ? 0 : SHM_RDONLY;
	if (v->pgoff + len > v->segment_len)
		return -EINVAL;
	if (len == v->segment_len)
		return sys_shmat(v->shmid, (void *)v->start, flags);
	return attach_part(v, len, flags);
}

static bool overlap(uint64_t at, uint64_t len, const struct wire_vma *v)
{
	return at < v->end && v->start < at + len;
}

/* All of it is mapped elsewhere, and everything but the part is unmapped again. */
static long map_part(const struct wire_vma *v)
{
	uint64_t len = v->end - v->start;
	long at = sys_mmap(NULL, v->whole, (int)v->prot, (int)v->flags, v->fd, 0), in_the_way = 0, got;

	if (at > 0 && overlap(at, v->whole, v)) {
		in_the_way = at;
		at = sys_mmap(NULL, v->whole, (int)v->prot, (int)v->flags, v->fd, 0);
	}
	if (in_the_way)
		sys_munmap((void *)in_the_way, v->whole);
	if (at < 0)
		return at;
	got = sys_mremap((void *)(at + v->pgoff), len, len, MREMAP_FIXED | MREMAP_MAYMOVE, (void *)v->start);
	unmap(at, at + v->pgoff);
	unmap(at + v->pgoff + len, at + v->whole);
	return got;
}

/*
 * Before anything is loaded. Parts of a mapping that has never been written (mprotect) do not become one again if pages
 * are supplied to several of them meanwhile, and mremap of all then fails (EFAULT): it had been written before the dump.
 */
static long write_once(const struct wire_vma *v)
{
	/* Only by pages that are left would something be lost. */
	sys_madvise((void *)v->start, PAGE_SZ, MADV_POPULATE_WRITE);
	return sys_madvise((void *)v->start, v->end - v->start, MADV_DONTNEED);
}

static long map_one(struct wire_vma *v, const struct wire_vma *end, bool loaded)
{
	uint64_t len = v->end - v->start;
	int prot = v->prot;
	long got;

	if (v->staged == v->start)
		return v->start;
	if (v->staged)
		return sys_mremap((void *)v->staged, len, len, MREMAP_FIXED | MREMAP_MAYMOVE, (void *)v->start);
	if (v->shmid >= 0)
		return attach(v, end);
	if (v->whole)
		return map_part(v);
	/*
	 * Pages are written into private memory whatever its final protection is. Where there are none, a writable
	 * mapping that the program did not have would count as committed memory: a database reserves terabytes.
	 */
	if (vma_has_private_pages(v->status) && loaded)
		prot |= PROT_READ | PROT_WRITE;
	v->prot_now = (uint32_t)prot;
	got = sys_mmap((void *)v->start, len, prot, (int)v->flags | MAP_FIXED_NOREPLACE, v->fd, v->pgoff);
	if (v->lazy && got == (long)v->start && prot & PROT_WRITE) {
		long err = write_once(v);

		got = err ? err : got;
	}
	return got;
}

int layout_map(struct wire_task *task)
{
	const struct wire_io *io = (void *)task->ios, *end = io + task->nr_ios;
	struct wire_vma *v = (void *)task->vmas;

	for (uint64_t i = 0; i < task->nr_vmas; i++) {
		long got = v[i].start;

		if (v[i].status & VMA_GUARD)
			continue;
		while (io < end && io->addr + io->len <= v[i].start)
			io++;
		if (!v[i].unplaced && !(i && is_continued(&v[i - 1], &v[i])))
			got = map_one(&v[i], v + task->nr_vmas, io < end && io->addr < v[i].end);
		if (got != (long)v[i].start)
			return restorer_fail_at(task, got < 0 ? got : -EEXIST, "map", v[i].start);
		int err = layout_policy(task, &v[i]);
		if (err)
			return err;
	}
	return 0;
}

/* To all mappings from @v to @last; if one of them does not take it, to each by itself. */
static long advise_all(const struct wire_vma *v, const struct wire_vma *last, int advice)
{
	long err = sys_madvise((void *)v->start, last->end - v->start, advice);

	/* Not every kernel has MADV_HUGEPAGE and MADV_MERGEABLE: they do not affect the content. */
	if (!err || v == last)
		return err == -EINVAL ? 0 : err;
	err = 0;
	for (; !err && v <= last; v++)
		err = advise_all(v, v, advice);
	return err;
}

/* Advice that mmap does not take; bits of vma_entry.madv are MADV_* numbers. */
static long advise(const struct wire_vma *v, const struct wire_vma *last)
{
	long err = 0;

	for (int advice = 0; !err && advice < 64; advice++)
		if (v->madv & BIT(advice))
			err = advise_all(v, last, advice);
	return err;
}

/* The last one of those from @v on that are adjacent and have the same advice: stacks of threads are many of them. */
static const struct wire_vma *last_alike(const struct wire_vma *v, const struct wire_vma *end)
{
	for (; v + 1 < end; v++)
		if (v[1].start != v->end || v[1].madv != v->madv || (v[1].status & VMA_GUARD))
			break;
	return v;
}

/*
 * A mapping with pages that cannot exist (PROT_NONE, beyond the end of a file) is locked all the same, with -ENOMEM:
 * also the error for a limit, but a request that does not need the pages yet fails with it, too.
 */
static long lock_one(const struct wire_vma *v)
{
	uint64_t len = v->end - v->start;
	long err = sys_mlock2((void *)v->start, len, v->locked == 2 ? MLOCK_ONFAULT : 0);

	if (err != -ENOMEM || v->locked == 2)
		return err;
	err = sys_mlock2((void *)v->start, len, MLOCK_ONFAULT);
	if (err)
		return err;
	err = sys_mlock2((void *)v->start, len, 0);
	return err == -ENOMEM ? 0 : err;
}

static long finish_one(const struct wire_vma *v)
{
	uint64_t len = v->end - v->start;
	long err = 0;

	if (v->status & VMA_GUARD)
		return sys_madvise((void *)v->start, len, MADV_GUARD_INSTALL);
	if (v->prot_now != v->prot)
		err = sys_mprotect((void *)v->start, len, v->prot);
	if (!err && v->name)
		sys_prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, v->start, len, v->name);
	if (!err && v->locked)
		err = lock_one(v);
	return err;
}

int layout_finish(struct wire_task *task)
{
	const struct wire_vma *v = (void *)task->vmas, *end = v + task->nr_vmas, *advised = v;

	for (uint64_t i = 0; i < task->nr_vmas; i++) {
		long err = 0;

		if (&v[i] >= advised && !(v[i].status & VMA_GUARD)) {
			const struct wire_vma *last = last_alike(&v[i], end);

			err = advise(&v[i], last);
			advised = last + 1;
		}
		err = err ? err : finish_one(&v[i]);
		if (err)
			return restorer_fail_at(task, err, v[i].locked ? "protect or lock" : "protect", v[i].start);
	}
	return 0;
}

int layout_seal(struct wire_task *task)
{
	const struct wire_vma *v = (void *)task->vmas;

	for (uint64_t i = 0; i < task->nr_vmas; i++) {
		long err = v[i].sealed ? sys_call3(NR_MSEAL, v[i].start, v[i].end - v[i].start, 0) : 0;

		if (err)
			return restorer_fail_at(task, err, "seal (mseal)", v[i].start);
	}
	return 0;
}

int layout_lock_future(struct wire_task *task)
{
	long err = task->mlock_future ? sys_mlockall((int)task->mlock_future) : 0;

	return err ? restorer_fail(task, err, "lock what will be mapped (mlockall)") : 0;
}

int layout_marks(struct wire_task *task)
{
	struct prctl_mm_map *map = (void *)task->mm_map;
	long err = sys_prctl(PR_SET_MM, PR_SET_MM_MAP, (long)map, sizeof(*map), 0);

	/* Without permission to change the executable, the rest is still set (kernel.md B). */
	if (err == -EPERM || err == -EBUSY) {
		map->exe_fd = -1;
		err = sys_prctl(PR_SET_MM, PR_SET_MM_MAP, (long)map, sizeof(*map), 0);
	}
	return err ? restorer_fail(task, err, "set the mm fields (PR_SET_MM_MAP)") : 0;
}
