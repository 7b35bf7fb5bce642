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
#include "pie/vma.h"
#include "run/progress.h"
#include "util/fds.h"
#include "util/log.h"

#define BUFFER_SIZE (1ul << 20)

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

/* One stretch of data, page aligned, to the end of the pages image. */
static int copy_data(struct dump *dump, int from, int to, uint64_t start, uint64_t end, uint64_t size, char *buffer,
		     uint64_t *offset)
{
	while (start < end) {
		uint64_t len = MIN_OF(end - start, BUFFER_SIZE), have = MIN_OF(len, size - start);
		int err = pread_exact(from, buffer, have, start);

		if (err < 0)
			return fail(err, "read shared memory");
		/* The last page of a file whose size is no multiple of a page. */
		for (uint64_t i = have; i < len; i++)
			buffer[i] = 0;
		err = pwrite_full(to, buffer, len, *offset);
		if (err < 0)
			return fail(err, "write the pages image");
		progress_add(dump->opts->progress, len);
		*offset += len;
		start += len;
	}
	return 0;
}

static int save_data(struct dump *dump, int fd, uint64_t size, struct pagemap_writer *map,
		     const struct image_extent *pages, char *buffer)
{
	uint64_t offset = pages->base;

	for (off_t at = 0; (uint64_t)at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;
		uint64_t start, end;
		int err;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return fail(-errno, "find the holes of shared memory");
		start = ROUND_DOWN((uint64_t)data, PAGE_SZ);
		end = ROUND_UP((uint64_t)hole, PAGE_SZ);
		err = pagemap_add(map, start, (end - start) / PAGE_SZ, PAGEMAP_PRESENT);
		if (err < 0)
			return fail(err, "%s", image_store_error(dump->dir));
		err = copy_data(dump, fd, pages->fd, start, end, size, buffer, &offset);
		if (err)
			return err;
		dump->stats.dump.shpages_scanned += (end - start) / PAGE_SZ;
		dump->stats.dump.shpages_written += (end - start) / PAGE_SZ;
		at = end;
	}
	return 0;
}

int shmem_save(struct dump *dump, int local_fd, uint64_t size, uint32_t shmid)
{
	_cleanup_pagemap_writer_ struct pagemap_writer *map = NULL;
	_cleanup_close_ int pages_fd = -1, fd = -1;
	struct image_extent pages;
	bool fresh = true;
	char *buffer;
	int err;

	if (!hash_slot_of(&dump->segments_saved, shmid, &fresh))
		return fail(-ENOMEM, "shared memory");
	if (!fresh)
		return 0;
	/* A description of our own: looking for holes moves the position, which may be the target's. */
	fd = open_fmt(AT_FDCWD, O_RDONLY, "/proc/self/fd/%d", local_fd);
	if (fd < 0)
		return fail(fd, "open shared memory %u", shmid);
	err = pagemap_create(dump->dir, IMAGE_SHMEM_PAGEMAP, shmid, &map, &pages);
	if (err < 0)
		return fail(err, "%s", image_store_error(dump->dir));
	pages_fd = pages.fd;
	buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		return fail(-errno, "buffer for pages");
	err = save_data(dump, fd, size, map, &pages, buffer);
	munmap(buffer, BUFFER_SIZE);
	if (err)
		return err;
	err = pagemap_close(steal_ptr(&map));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
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
