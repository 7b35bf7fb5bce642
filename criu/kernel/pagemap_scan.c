// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/pagemap_scan.h"
#include "util/fds.h"

/* linux/fs.h since 6.7; headers may be older. */
struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PM_SCAN_IOCTL _IOWR('f', 16, struct pm_scan_arg)
#define PM_SCAN_WP 1
#define PM_SCAN_CHECK_WP 2

#define REGIONS_AT_ONCE 512
#define ENTRIES_AT_ONCE 8192 /* 64K of the file, 32M of memory */

#define CATEGORIES_AT_FIRST 0x7f /* 6.7: all up to PAGE_HUGE */

/* An empty range is answered without work; a process without memory (a zombie) gives -ESRCH: supported, too. */
static bool scan_knows(int fd, uint64_t categories)
{
	struct pm_scan_arg arg = { .size = sizeof(arg), .category_mask = categories };

	return ioctl(fd, PM_SCAN_IOCTL, &arg) >= 0 || (errno != ENOTTY && errno != EINVAL);
}

int page_scan_open(const struct proc *p, struct page_scan *ret_pm)
{
	int fd = proc_open_file(p, "pagemap", O_RDONLY);
	struct page_scan pm = { .fd = fd };

	if (fd < 0)
		return fd;
	pm.has_scan = scan_knows(fd, 0);
	if (pm.has_scan) {
		pm.known = CATEGORIES_AT_FIRST;
		pm.known |= scan_knows(fd, PAGE_SOFT_DIRTY) ? PAGE_SOFT_DIRTY : 0;
		pm.known |= scan_knows(fd, PAGE_GUARD) ? PAGE_GUARD : 0;
	}
	*ret_pm = pm;
	return 0;
}

void page_scan_close(struct page_scan *pm)
{
	cleanup_close(&pm->fd);
	*pm = PAGE_SCAN_CLOSED;
}

/* Merges with the last region of the scan that started at index @first, if they are adjacent. */
static int add_region(struct page_regions *to, size_t first, uint64_t start, uint64_t end, uint64_t categories)
{
	if (to->n > first) {
		struct page_region *last = &to->v[to->n - 1];
		if (last->end == start && last->categories == categories) {
			last->end = end;
			return 0;
		}
	}
	return array_add(to, ((struct page_region){ start, end, categories }));
}

int page_scan_range(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
		    struct page_regions *to)
{
	struct page_region found[REGIONS_AT_ONCE];
	size_t first = to->n;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = want->protect ? PM_SCAN_WP | PM_SCAN_CHECK_WP : 0,
		.start = start,
		.end = end,
		.vec = (uintptr_t)found,
		.vec_len = REGIONS_AT_ONCE,
		/*
		 * Categories that the kernel does not know are never set: if they must not be set, there is nothing to
		 * request.
		 */
		.category_inverted = want->inverted & pm->known,
		.category_mask = want->all & (pm->known | ~want->inverted),
		.category_anyof_mask = want->any,
		.return_mask = want->report & pm->known,
	};

	if (!pm->has_scan)
		return page_scan_by_reading(pm, start, end, want, to);
	while (arg.start < end) {
		long n = ioctl(pm->fd, PM_SCAN_IOCTL, &arg);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (long i = 0; i < n; i++)
			if (add_region(to, first, found[i].start, found[i].end, found[i].categories))
				return -ENOMEM;
		if (arg.walk_end <= arg.start)
			return -EIO;
		arg.start = arg.walk_end;
	}
	return 0;
}

static uint64_t entry_categories(uint64_t e)
{
	uint64_t c = 0;

	if (e & PM_PRESENT)
		c |= PAGE_PRESENT;
	if (e & PM_SWAP)
		c |= PAGE_SWAPPED;
	if (e & PM_FILE)
		c |= PAGE_FILE;
	if (e & PM_GUARD)
		c |= PAGE_GUARD;
	if (e & PM_SOFT_DIRTY)
		c |= PAGE_SOFT_DIRTY;
	if (!(e & PM_UFFD_WP))
		c |= PAGE_WRITTEN;
	return c;
}

static bool is_wanted(uint64_t categories, const struct page_want *want)
{
	uint64_t c = categories ^ want->inverted;

	return (c & want->all) == want->all && (!want->any || (c & want->any));
}

int page_scan_by_reading(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
			 struct page_regions *to)
{
	_cleanup_free_ uint64_t *entries = malloc(ENTRIES_AT_ONCE * sizeof(*entries));
	size_t first = to->n;

	if (want->protect)
		return -EOPNOTSUPP;
	if (!entries)
		return -ENOMEM;
	while (start < end) {
		size_t pages = MIN_OF((end - start) / PAGE_SZ, (uint64_t)ENTRIES_AT_ONCE);
		if (!pages)
			return -EINVAL;
		int err = page_scan_entries(pm, start, pages, entries);
		if (err)
			return err;
		for (size_t i = 0; i < pages; i++, start += PAGE_SZ) {
			uint64_t c = entry_categories(entries[i]);
			if (!is_wanted(c, want))
				continue;
			if (add_region(to, first, start, start + PAGE_SZ, c & want->report))
				return -ENOMEM;
		}
	}
	return 0;
}

int page_scan_entries(const struct page_scan *pm, uint64_t start, size_t pages, uint64_t *ret_v)
{
	return pread_exact(pm->fd, ret_v, pages * sizeof(*ret_v), start / PAGE_SZ * sizeof(*ret_v));
}
