// SPDX-License-Identifier: GPL-2.0-only
/* Puts pages in place. With the lock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "lazy/report.h"
#include "lazy/supply.h"
#include "lazy/wanted.h"
#include "lazy/uffd.h"
#include "util/fds.h"
#include "util/log.h"

/* No page can be put there, now or later, but for -EAGAIN. */
static int refused(struct lazy_space *space, int err)
{
	if (err == -ESRCH)
		space->ended = true;
	return err == -ESRCH || err == -EAGAIN || err == -ENOMEM ? err : 0;
}

static int put_page(struct lazy_space *space, const struct lazy_range *range, uint64_t addr, const char *from)
{
	uint64_t done;
	int err = uffd_copy(space->uffd, addr, from, PAGE_SZ, &done);

	err = err ? refused(space, err) : 0;
	if (!err)
		space_supplied(space, range, addr, PAGE_SZ);
	return err;
}

/* All of them are missing. */
static int put_pages(struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len,
		     const char *from)
{
	while (len) {
		uint64_t done;
		int err = uffd_copy(space->uffd, addr, from, len, &done);

		/* There already, or the rest belongs to another mapping. */
		if (err && err != -EAGAIN && err != -ESRCH && err != -ENOMEM) {
			err = put_page(space, range, addr, from);
			done = PAGE_SZ;
		} else if (!err) {
			space_supplied(space, range, addr, done);
		}
		if (err)
			return refused(space, err);
		addr += done;
		from += done;
		len -= done;
	}
	return 0;
}

int supply(const struct lazy_pages *pages, const char *from)
{
	uint64_t addr = pages->addr, end = addr + pages->len;
	int err = 0;

	while (!err && addr < end) {
		uint64_t missing = space_stretch(pages->space, pages->range, addr, end - addr, true);

		err = put_pages(pages->space, pages->range, addr, missing, from);
		addr += missing;
		from += missing;
		missing = space_stretch(pages->space, pages->range, addr, end - addr, false);
		addr += missing;
		from += missing;
	}
	return err;
}

/* Always a page or a few, as the rest may be readable. */
int supply_lost(struct lazy_daemon *d, const struct lazy_pages *pages, int why)
{
	struct lazy_space *space = pages->space;
	uint64_t addr = pages->addr, end = addr + pages->len;

	if (!space->lost) {
		lazy_log(d);
		log_error(
			"process %d%s: its page %lx, and perhaps others, cannot be read (%s): whoever accesses them gets SIGBUS",
			space->pid, space->forked ? " (a child)" : "", addr,
			why == -EBADMSG ? "the image is damaged: it has another checksum" : strerror(-why));
	}
	d->lost = true;
	for (; addr < end; addr += PAGE_SZ) {
		uint64_t done;
		int err = space_is_missing(space, pages->range, addr) ?
				  refused(space, uffd_poison(space->uffd, addr, PAGE_SZ, &done)) :
				  0;

		if (err)
			return err;
		space->lost++;
		space_supplied(space, pages->range, addr, PAGE_SZ);
	}
	return 0;
}

/*
 * Memory that the dump has no page of is empty; so is a page that was supplied and is gone again (MADV_FREE). As much of it at once as
 * surrounds the page.
 */
static int supply_zeros(struct lazy_space *space, uint64_t page)
{
	size_t next = space_index(space, page);
	uint64_t start = ROUND_DOWN(page, LAZY_AROUND), end = start + LAZY_AROUND, done;
	int err;

	if (next < space->n)
		end = space->v[next].start > page ? MIN_OF(end, space->v[next].start) : page + PAGE_SZ;
	err = uffd_zero(space->uffd, page, end - page, &done);
	if (err && err != -EAGAIN && err != -ESRCH && end > page + PAGE_SZ)
		err = uffd_zero(space->uffd, page, PAGE_SZ, &done);
	err = err ? refused(space, err) : 0;
	/* It was there: the access must have come just before. */
	if (!err)
		uffd_wake(space->uffd, page, PAGE_SZ);
	return err;
}

static int supply_around(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range, uint64_t page)
{
	const struct lazy_pages first = { space, range, page, PAGE_SZ };
	uint64_t start = MAX_OF(ROUND_DOWN(page, LAZY_AROUND), range->start);
	uint64_t end = MIN_OF(ROUND_DOWN(page, LAZY_AROUND) + LAZY_AROUND, range->end);
	int err = lazy_sums_read(&d->sums, range->fd, d->buffer, end - start, range->at + (start - range->start));

	if (err && end - start > PAGE_SZ) {
		start = page;
		end = page + PAGE_SZ;
		err = lazy_sums_read(&d->sums, range->fd, d->buffer, PAGE_SZ, range->at + (start - range->start));
	}
	if (err)
		return supply_lost(d, &first, err);
	/* The one that is waited for first. */
	err = supply(&first, d->buffer + (page - start));
	if (!err)
		uffd_wake(space->uffd, page, PAGE_SZ);
	return err ? err : supply(&(struct lazy_pages){ space, range, start, end - start }, d->buffer);
}

int supply_fault(struct lazy_daemon *d, struct lazy_space *space, uint64_t addr)
{
	uint64_t page = ROUND_DOWN(addr, PAGE_SZ);
	const struct lazy_range *range = space_find(space, page);

	if (!range || !space_is_missing(space, range, page))
		return supply_zeros(space, page);
	return range->fd < 0 ? wanted_add(d, space, page) : supply_around(d, space, range, page);
}
