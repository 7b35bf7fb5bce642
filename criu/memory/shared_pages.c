/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/shared_pages.h"
#include <fcntl.h>
#include "base/arch.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define HUGE_PAGES (HUGE_PAGE_SZ / PAGE_SZ)
/* More for one call would take longer than reading a page here and there without pinning it. */
#define LOOKS_MAX 32

int shared_pages_open(const struct proc *p, struct shared_pages *ret)
{
	struct shared_pages s = SHARED_PAGES_CLOSED;
	int err = page_scan_open(p, &s.page_map);

	if (err)
		return err;
	s.counts = open_at(proc_root(), "kpagecount", O_RDONLY, 0);
	*ret = s;
	return 0;
}

void shared_pages_close(struct shared_pages *s)
{
	page_scan_close(&s->page_map);
	cleanup_close(&s->counts);
}

/*
 * Is this a huge page that a process shares in part? The page map shows of all of its parts what is true of the first one, and others
 * may be shared with a process that has divided it. So each of its pages must have one user.
 */
static bool huge_is_shared(const struct shared_pages *s, const uint64_t entries[HUGE_PAGES])
{
	const uint64_t first = entries[0] & PM_PFN_MASK, last = entries[HUGE_PAGES - 1] & PM_PFN_MASK;
	uint64_t users[HUGE_PAGES];

	if (first && (first % HUGE_PAGES || last != first + HUGE_PAGES - 1))
		return false;
	/* Without CAP_SYS_ADMIN no frame is shown. */
	if (!first || s->counts < 0 || pread_exact(s->counts, users, sizeof(users), (off_t)(first * sizeof(*users))))
		return true;
	for (size_t i = 0; i < HUGE_PAGES; i++)
		if (users[i] != 1)
			return true;
	return false;
}

static bool any_is_shared(const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pm_is_shared(entries[i]) || (entries[i] & PM_SWAP))
			return true;
	return false;
}

/* Of a huge page, which may have been divided since: its frames are aligned as its addresses are, unless they are not shown. */
static bool may_be_of_huge(uint64_t at, const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t frame = entries[i] & PM_PFN_MASK;

		if ((entries[i] & PM_PRESENT) && (!frame || (frame - at / PAGE_SZ - i) % HUGE_PAGES == 0))
			return true;
	}
	return false;
}

/* From @at on, up to the end of a huge page. Also a page that has one user is copied if others of its huge page have more. */
static bool is_shared(const struct shared_pages *s, uint64_t at, uint64_t end, bool huge)
{
	const size_t n = (end - at) / PAGE_SZ;
	uint64_t entries[HUGE_PAGES];

	if (page_scan_entries(&s->page_map, at, n, entries) || any_is_shared(entries, n))
		return true;
	if (!huge && !may_be_of_huge(at, entries, n))
		return false;
	if (page_scan_entries(&s->page_map, ROUND_DOWN(at, HUGE_PAGE_SZ), HUGE_PAGES, entries) ||
	    any_is_shared(entries, HUGE_PAGES))
		return true;
	return huge && (entries[0] & PM_PRESENT) && huge_is_shared(s, entries);
}

bool shared_pages_are_in(const struct shared_pages *s, const struct iovec *pieces, int n, bool huge)
{
	const uint64_t last = (uintptr_t)pieces[n - 1].iov_base + pieces[n - 1].iov_len;
	uint64_t done = 0;
	int looks = 0;

	for (int i = 0; i < n; i++) {
		const uint64_t start = (uintptr_t)pieces[i].iov_base, end = start + pieces[i].iov_len;

		for (uint64_t at = MAX_OF(start, done); at < end; at = done) {
			done = MIN_OF(ROUND_DOWN(at, HUGE_PAGE_SZ) + HUGE_PAGE_SZ, last);
			if (++looks > LOOKS_MAX || is_shared(s, at, done, huge))
				return true;
		}
	}
	return false;
}
