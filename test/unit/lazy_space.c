// SPDX-License-Identifier: GPL-2.0-only
/* Where the pages of a process come from, while it changes its memory: compared with a list of single pages. */
#include <stdlib.h>
#include "base/bits.h"
#include "lazy/space.h"
#include "util_check.h"

#define PAGES 600
#define BASE 0x10000000ull

struct model {
	uint64_t at[PAGES]; /* 0: no page */
	int fd[PAGES];
	bool done[PAGES];
};

static unsigned int seed = 1;

static size_t any(size_t below)
{
	return (size_t)rand_r(&seed) % below;
}

static uint64_t address(size_t page)
{
	return BASE + page * PAGE_SZ;
}

static void fill(struct lazy_space *space, struct model *m)
{
	uint64_t at = PAGE_SZ;

	for (size_t p = any(9); p < PAGES;) {
		size_t want = 1 + any(80), n = MIN_OF(want, PAGES - p);
		int fd = (int)any(3) - 1;

		if (space_add(space, address(p), address(p + n), fd, at))
			abort();
		for (size_t i = p; i < p + n; i++, at += PAGE_SZ) {
			m->at[i] = at;
			m->fd[i] = fd;
		}
		/* Adjacent ones, too, with and without a gap in the file. */
		at += any(2) * 16 * PAGE_SZ;
		p += n + (any(3) ? any(20) : 0);
	}
	if (space_begin(space))
		abort();
}

static bool same(const struct lazy_space *space, const struct model *m)
{
	uint64_t missing = 0;

	for (size_t p = 0; p < PAGES; p++) {
		const struct lazy_range *r = space_find(space, address(p));
		uint64_t is = r ? r->at + (address(p) - r->start) : 0;

		if (is != m->at[p] ||
		    (r && (r->fd != m->fd[p] || space_is_missing(space, r, address(p)) == m->done[p])))
			return false;
		missing += r && !m->done[p];
	}
	for (size_t i = 1; i < space->n; i++)
		if (space->v[i - 1].end > space->v[i].start)
			return false;
	return missing == space->missing;
}

static void supply_some(struct lazy_space *space, struct model *m)
{
	size_t p = any(PAGES), n = 1 + any(40);

	for (; n && p < PAGES; n--, p++) {
		const struct lazy_range *r = space_find(space, address(p));

		if (!r)
			continue;
		space_supplied(space, r, address(p), PAGE_SZ);
		m->done[p] = true;
	}
}

static bool drop_some(struct lazy_space *space, struct model *m)
{
	size_t p = any(PAGES), n = 1 + any(MIN_OF(60ul, PAGES - p));

	memset(&m->at[p], 0, n * sizeof(m->at[0]));
	return !space_drop(space, address(p), address(p + n));
}

/* The ranges do not overlap: mremap(2) refuses that. */
static bool move_some(struct lazy_space *space, struct model *m)
{
	size_t n = 1 + any(50), from = any(PAGES - n), to = any(PAGES - n);

	if (from < to + n && to < from + n)
		return true;
	memcpy(&m->at[to], &m->at[from], n * sizeof(m->at[0]));
	memcpy(&m->fd[to], &m->fd[from], n * sizeof(m->fd[0]));
	memcpy(&m->done[to], &m->done[from], n * sizeof(m->done[0]));
	memset(&m->at[from], 0, n * sizeof(m->at[0]));
	return !space_move(space, address(from), address(to), n * PAGE_SZ);
}

/* The stretches of a range cover it, and each is of one kind. */
static bool stretches(const struct lazy_space *space, const struct model *m)
{
	for (size_t i = 0; i < space->n; i++) {
		const struct lazy_range *r = &space->v[i];
		bool missing = true;

		for (uint64_t addr = r->start; addr < r->end; missing = !missing) {
			uint64_t end = addr + space_stretch(space, r, addr, r->end - addr, missing);

			for (; addr < end; addr += PAGE_SZ)
				if (m->done[(addr - BASE) / PAGE_SZ] == missing)
					return false;
		}
	}
	return true;
}

static bool round_is_right(void)
{
	struct lazy_space *space = space_new(5), *child;
	struct model m = { 0 }, of_child;
	bool good;

	if (!space)
		return false;
	fill(space, &m);
	good = same(space, &m);
	for (int i = 0; good && i < 60; i++) {
		size_t what = any(3);

		if (!what)
			supply_some(space, &m);
		good = what == 1 ? drop_some(space, &m) : what == 2 ? move_some(space, &m) : true;
		good = good && same(space, &m) && stretches(space, &m);
		if (good && !any(20)) {
			child = space_fork(space, 7);
			of_child = m;
			good = child && child->uffd == 7 && child->forked && child->pid == 5 &&
			       same(child, &of_child) && drop_some(child, &of_child) && same(child, &of_child) &&
			       same(space, &m);
			space_free(child);
		}
	}
	space_free(space);
	return good;
}

static void follows_changes(void)
{
	for (int i = 0; i < 400; i++)
		CHECK(round_is_right());
}

static void empty(void)
{
	struct lazy_space *space = space_new(1);

	CHECK(space && !space_begin(space));
	CHECK(!space_find(space, BASE) && !space->missing);
	CHECK(!space_drop(space, BASE, BASE + PAGE_SZ) && !space_move(space, BASE, 2 * BASE, PAGE_SZ));
	space_free(space);
}

int main(void)
{
	RUN(empty);
	RUN(follows_changes);
	DONE();
}
