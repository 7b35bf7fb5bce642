/* SPDX-License-Identifier: GPL-2.0-only */
/* Content of memory that is a file without a path: saved once, completely; loaded before any task maps it. */
#include "memory/shmem.h"
#include "memory/verify_pages.h"
#include "run/obstacles.h"
#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "memory/copy_pages.h"
#include "memory/dump_memory.h"
#include "memory/page_source.h"
#include "memory/needs.h"
#include "pie/vma.h"
#include "run/progress.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum shm_sort shmem_sort(const struct stat *st, uint32_t fs_magic, const char *link)
{
	enum shm_sort sort = S_ISREG(st->st_mode) && !st->st_nlink ? shm_sort_by_link(link) : SHM_NONE;

	if (sort == SHM_NONE || fs_magic == HUGETLBFS_MAGIC)
		return sort;
	return fs_magic == TMPFS_MAGIC && shm_is_kernels(st->st_dev) ? sort : SHM_NONE;
}

static uint64_t inode_key(uint32_t kdev, uint64_t ino)
{
	return hash_mix(hash_mix(kdev) ^ ino);
}

int shmem_id(struct dump *dump, uint32_t kdev, uint64_t ino, bool huge, uint32_t *ret_shmid)
{
	/* Huge pages are in file systems of their own, whose inode numbers may be the same as others'. */
	uint32_t shmid = (uint32_t)ino | SHMID_INODE | (huge ? SHMID_HUGETLB : 0);
	bool fresh, free_id;
	uint64_t *slot = hash_slot_of(&dump->memory->shmids, inode_key(kdev, ino), &fresh);

	if (!slot)
		return fail(-ENOMEM, "shared memory");
	if (!fresh) {
		*ret_shmid = *slot;
		return 0;
	}
	for (;; shmid++) {
		if (!hash_slot_of(&dump->memory->shmids_taken, shmid, &free_id))
			return fail(-ENOMEM, "shared memory");
		if (free_id)
			break;
	}
	*ret_shmid = *slot = shmid;
	return 0;
}

int shmem_note_huge(struct dump *dump, uint32_t kdev, uint64_t ino)
{
	return hash_put(&dump->memory->huge_files, inode_key(kdev, ino), 1) ? fail(-ENOMEM, "shared memory") : 0;
}

bool shmem_is_file(const struct dump *dump, uint32_t kdev, uint64_t ino)
{
	uint64_t known;

	return hash_get(&dump->memory->huge_files, inode_key(kdev, ino), &known);
}

static int add_run(struct page_copy *copy, const struct page_run *run)
{
	int err = copy->sink->ops->add_run(copy->sink, run);

	return err ? err : page_copy_add(copy, run, true);
}

/* Data regions are its runs; holes remain holes. */
static int add_runs(struct page_copy *copy, unsigned keep)
{
	const struct page_origin *from = &copy->from;
	const uint64_t last = keep & SHMEM_KEEP_LAST ? ROUND_DOWN(from->size - 1, PAGE_SZ) : UINT64_MAX;
	struct statfs fs;
	bool huge = !fstatfs(from->fd, &fs) && fs.f_type == HUGETLBFS_MAGIC;

	for (off_t at = 0; (uint64_t)at < from->size;) {
		off_t data = lseek(from->fd, at, SEEK_DATA), hole;
		struct page_run run = { .outcome = PAGES_WRITE,
					.empty_is_zero = !(keep & SHMEM_KEEP_ZEROS),
					.incompressible = huge };
		int err = 0;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(from->fd, data, SEEK_HOLE);
		if (hole < 0)
			return fail(-errno, "find the holes of shared memory");
		run.start = ROUND_DOWN((uint64_t)data, PAGE_SZ);
		at = (off_t)ROUND_UP((uint64_t)hole, PAGE_SZ);
		run.end = MIN_OF((uint64_t)at, last);
		if (run.start < run.end)
			err = add_run(copy, &run);
		if (err)
			return err;
	}
	if (last == UINT64_MAX)
		return 0;
	return add_run(copy,
		       &(struct page_run){
			       .start = last, .end = last + PAGE_SZ, .outcome = PAGES_WRITE, .incompressible = huge });
}

static int save_data(struct dump *dump, struct page_copy *copy, unsigned keep)
{
	int err = add_runs(copy, keep);

	if (!err)
		err = page_copy_run(copy);
	if (err)
		return err;
	dump->stats.dump.shpages_scanned += copy->bytes / PAGE_SZ;
	dump->stats.dump.shpages_written += (copy->bytes - copy->zero_bytes) / PAGE_SZ;
	return 0;
}

int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid, unsigned keep)
{
	_cleanup_page_sink_ struct page_sink *sink = NULL;
	_cleanup_close_ int fd = -1;
	struct page_copy copy = { .progress = dump->opts->progress };
	bool fresh = true;
	int err;

	if (!hash_slot_of(&dump->memory->segments_saved, shmid, &fresh))
		return fail(-ENOMEM, "shared memory");
	if (!fresh)
		return 0;
	/* Our own description: finding holes moves the position, which may be the target's. */
	fd = proc_fd_open(local_fd, O_RDONLY);
	if (fd < 0)
		return fail(fd, "open shared memory %u", shmid);
	err = page_sink_open(dump, IMAGE_SHMEM_PAGEMAP, shmid, &sink);
	if (err)
		return err;
	copy.sink = sink;
	copy.from = (struct page_origin){ .name = "shared memory", .fd = fd, .size = size };
	err = save_data(dump, &copy, keep);
	page_copy_free(&copy);
	return err ? err : page_sink_finish(&sink);
}

/* A part of a run, and the file to write it to, at its own address. */
struct filling {
	const struct page_source *source;
	const struct pagemap_run *run;
	uint64_t len;
	int fd;
	uint64_t map_size; /* mappings of the file must be multiples of this */
	bool by_mapping; /* hugetlbfs has no write(2) */
};

static int fill_mapped(const struct filling *f)
{
	const struct pagemap_run *run = f->run;
	uint64_t start = ROUND_DOWN(run->vaddr, f->map_size), end = ROUND_UP(run->vaddr + f->len, f->map_size);
	char *p = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, (off_t)start);
	int err;

	if (p == MAP_FAILED)
		return -errno;
	err = f->source->ops->read(f->source, run, run->vaddr, p + (run->vaddr - start), f->len);
	munmap(p, end - start);
	return err;
}

static int fill_run(const struct filling *f)
{
	struct page_place place;

	if (!f->by_mapping && page_source_direct(f->source, f->run, f->run->vaddr, &place))
		return copy_range(place.fd, (off_t)place.offset, f->fd, (off_t)f->run->vaddr, f->len);
	return fill_mapped(f);
}

int shmem_check(struct restore *r, uint32_t shmid, struct shmem_content *ret)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	char name[64];
	bool fresh;
	int err;

	if (!hash_slot_of(&r->plan.segments_checked, shmid, &fresh))
		return fail(-ENOMEM, "shared memory");
	err = fresh ? page_source_open(r, IMAGE_SHMEM_PAGEMAP, shmid, &source) : -ENOENT;
	if (ret)
		*ret = (struct shmem_content){ 0 };
	for (size_t i = 0; !err && ret && i < source->map->nr_runs; i++) {
		const struct pagemap_run *run = &source->map->runs[i];

		ret->pages += memory_needed_pages(r, run, run->vaddr, pagemap_run_end(run));
		ret->end = MAX_OF(ret->end, pagemap_run_end(run));
	}
	if (!err) {
		snprintf(name, sizeof(name), "pagemap-shmem-%u.img", shmid);
		err = restore_continues(r, pages_verify(r, source->map, name));
	}
	return err == -ENOENT ? 0 : err;
}

static int fill_runs(struct restore *r, struct filling *f, uint64_t size)
{
	const struct pagemap *map = f->source->map;
	int err = 0;

	for (size_t i = 0; !err && i < map->nr_runs; i++) {
		f->run = &map->runs[i];
		if (!(f->run->flags & PAGEMAP_PRESENT) || f->run->vaddr >= size)
			continue;
		f->len = MIN_OF(f->run->nr_pages * PAGE_SZ, size - f->run->vaddr);
		err = fill_run(f);
		progress_expect(r->opts->progress, f->len);
		progress_add(r->opts->progress, f->len);
		r->stats.restore.pages_restored += f->run->nr_pages;
	}
	return err;
}

int shmem_fill(struct restore *r, uint32_t shmid, int fd)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	struct filling f = { .fd = fd };
	struct statfs fs;
	struct stat st;
	int err = page_source_open(r, IMAGE_SHMEM_PAGEMAP, shmid, &source);

	if (err)
		return err == -ENOENT ? 0 : err; /* it has never been written to */
	if (fstat(fd, &st) < 0)
		return fail(-errno, "fstat");
	f.source = source;
	f.map_size = MAX_OF((uint64_t)st.st_blksize, PAGE_SZ);
	f.by_mapping = f.map_size > PAGE_SZ && !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC;
	err = fill_runs(r, &f, (uint64_t)st.st_size);
	return err < 0 ? fail(err, "fill shared memory %u", shmid) : 0;
}

int shmem_no_huge_pages(int error, uint64_t size, uint32_t flags)
{
	uint64_t page = shmem_page_size(flags);

	if (error != ENOMEM)
		return fail(-error, "%lu huge pages of %lu kB", size / page, page >> 10);
	return fail(
		-ENOMEM,
		"%lu huge pages of %lu kB are not available: raise /sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
		size / page, page >> 10, page >> 10);
}
