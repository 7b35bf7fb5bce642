/* SPDX-License-Identifier: GPL-2.0-only */
/* Content of memory that lives in a file without a path: saved once, whole; filled again before anybody maps it. */
#include "memory/shmem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "image/pagemap.h"
#include "memory/copy_pages.h"
#include "pie/vma.h"
#include "run/progress.h"
#include "util/fds.h"
#include "util/log.h"

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
	/* Huge pages lie in file systems of their own, whose inode numbers may be the same as others'. */
	uint32_t shmid = (uint32_t)ino | SHMID_INODE | (huge ? SHMID_HUGETLB : 0);
	bool fresh, free_id;
	uint64_t *slot = hash_slot_of(&dump->shmids, inode_key(kdev, ino), &fresh);

	if (!slot)
		return fail(-ENOMEM, "shared memory");
	if (!fresh) {
		*ret_shmid = *slot;
		return 0;
	}
	for (;; shmid++) {
		if (!hash_slot_of(&dump->shmids_taken, shmid, &free_id))
			return fail(-ENOMEM, "shared memory");
		if (free_id)
			break;
	}
	*ret_shmid = *slot = shmid;
	return 0;
}

int shmem_note_huge(struct dump *dump, uint32_t kdev, uint64_t ino)
{
	return hash_put(&dump->huge_files, inode_key(kdev, ino), 1) ? fail(-ENOMEM, "shared memory") : 0;
}

bool shmem_is_file(const struct dump *dump, uint32_t kdev, uint64_t ino)
{
	uint64_t known;

	return hash_get(&dump->huge_files, inode_key(kdev, ino), &known);
}

/* Stretches of data are its runs; holes stay holes. */
static int add_runs(struct page_copy *copy)
{
	const struct page_origin *from = &copy->from;

	for (off_t at = 0; (uint64_t)at < from->size;) {
		off_t data = lseek(from->fd, at, SEEK_DATA), hole;
		struct page_run run = { .outcome = PAGES_WRITE };
		int err;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(from->fd, data, SEEK_HOLE);
		if (hole < 0)
			return fail(-errno, "find the holes of shared memory");
		run.start = ROUND_DOWN((uint64_t)data, PAGE_SZ);
		run.end = ROUND_UP((uint64_t)hole, PAGE_SZ);
		err = copy->sink->ops->add_run(copy->sink, &run);
		if (!err)
			err = page_copy_add(copy, &run, true);
		if (err)
			return err;
		at = (off_t)run.end;
	}
	return 0;
}

static int save_data(struct dump *dump, struct page_copy *copy)
{
	int err = add_runs(copy);

	if (err)
		return err;
	progress_expect(copy->progress, copy->bytes);
	err = copy->sink->ops->begin(copy->sink, copy->bytes);
	if (!err)
		err = page_copy_run(copy);
	if (err)
		return err;
	dump->stats.dump.shpages_scanned += copy->bytes / PAGE_SZ;
	dump->stats.dump.shpages_written += copy->bytes / PAGE_SZ;
	return 0;
}

int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid)
{
	_cleanup_page_sink_ struct page_sink *sink = NULL;
	_cleanup_close_ int fd = -1;
	struct page_copy copy = { .progress = dump->opts->progress };
	bool fresh = true;
	int err;

	if (!hash_slot_of(&dump->segments_saved, shmid, &fresh))
		return fail(-ENOMEM, "shared memory");
	if (!fresh)
		return 0;
	/* A description of our own: looking for holes moves the position, which may be the target's. */
	fd = open_fmt(AT_FDCWD, O_RDONLY, "/proc/self/fd/%d", local_fd);
	if (fd < 0)
		return fail(fd, "open shared memory %u", shmid);
	err = page_sink_open(dump, IMAGE_SHMEM_PAGEMAP, shmid, &sink);
	if (err)
		return err;
	copy.sink = sink;
	copy.from = (struct page_origin){ .name = "shared memory", .fd = fd, .size = size };
	err = save_data(dump, &copy);
	page_copy_free(&copy);
	return err ? err : sink->ops->finish(steal_ptr(&sink));
}

/* hugetlbfs has no write(2). */
static int fill_mapped(int from, uint64_t offset, int fd, uint64_t at, uint64_t len, uint64_t page)
{
	uint64_t start = ROUND_DOWN(at, page), end = ROUND_UP(at + len, page);
	char *p = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);
	int err;

	if (p == MAP_FAILED)
		return -errno;
	err = pread_exact(from, p + (at - start), len, offset);
	munmap(p, end - start);
	return err;
}

int shmem_check(struct restore *r, uint32_t shmid)
{
	struct pagemap *map = NULL;
	bool fresh;
	int err;

	if (!hash_slot_of(&r->plan.segments_checked, shmid, &fresh))
		return fail(-ENOMEM, "shared memory");
	err = fresh ? pagemap_load(r->dir, IMAGE_SHMEM_PAGEMAP, shmid, &map) : -ENOENT;
	if (!err)
		pagemap_free(map);
	return err < 0 && err != -ENOENT ? fail(err, "%s", image_store_error(r->dir)) : 0;
}

int shmem_fill(struct restore *r, uint32_t shmid, int fd)
{
	struct pagemap *map = NULL;
	struct stat st;
	int err = pagemap_load(r->dir, IMAGE_SHMEM_PAGEMAP, shmid, &map);

	if (err == -ENOENT)
		return 0; /* nothing was ever written to it */
	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	err = fstat(fd, &st) < 0 ? fail(-errno, "fstat") : 0;
	for (size_t i = 0; !err && i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];
		struct statfs fs;
		uint64_t len;

		if (!(run->flags & PAGEMAP_PRESENT) || run->vaddr >= (uint64_t)st.st_size)
			continue;
		len = MIN_OF(run->nr_pages * PAGE_SZ, st.st_size - run->vaddr);
		if (st.st_blksize > (blksize_t)PAGE_SZ && !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC)
			err = fill_mapped(pagemap_source(map, run), run->offset, fd, run->vaddr, len, st.st_blksize);
		else
			err = copy_range(pagemap_source(map, run), run->offset, fd, run->vaddr, len);
		if (err < 0)
			fail(err, "fill shared memory %u", shmid);
		progress_expect(r->opts->progress, len);
		progress_add(r->opts->progress, len);
		r->stats.restore.pages_restored += run->nr_pages;
	}
	pagemap_free(map);
	return err;
}
