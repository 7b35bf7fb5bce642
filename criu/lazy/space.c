// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/space.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"

#define WORD 64

struct lazy_space *space_new(pid_t pid)
{
	struct lazy_space *space = calloc(1, sizeof(*space));

	if (space) {
		space->pid = pid;
		space->uffd = -1;
	}
	return space;
}

void space_free(struct lazy_space *space)
{
	if (!space)
		return;
	free(space->v);
	free(space->done);
	free(space);
}

static int make_room(struct lazy_space *space, size_t more)
{
	size_t room = MAX_OF(space->n + more, space->room * 2);
	struct lazy_range *v;

	if (space->n + more <= space->room)
		return 0;
	v = reallocarray(space->v, room, sizeof(*v));
	if (!v)
		return -ENOMEM;
	space->v = v;
	space->room = room;
	return 0;
}

int space_add(struct lazy_space *space, uint64_t start, uint64_t end, int fd, uint64_t at)
{
	struct lazy_range *last = space->n ? &space->v[space->n - 1] : NULL;
	uint64_t pages = (end - start) / PAGE_SZ;
	int err;

	if (last && last->end == start && last->fd == fd && last->at + (last->end - last->start) == at) {
		last->end = end;
	} else {
		err = make_room(space, 1);
		if (err)
			return err;
		space->v[space->n++] =
			(struct lazy_range){ .start = start, .end = end, .fd = fd, .at = at, .bit = space->bits };
	}
	space->bits += pages;
	space->missing += pages;
	return 0;
}

static size_t words(const struct lazy_space *space)
{
	return space->bits / WORD + 1;
}

int space_begin(struct lazy_space *space)
{
	space->done = calloc(words(space), sizeof(*space->done));
	return space->done ? 0 : -ENOMEM;
}

size_t space_index(const struct lazy_space *space, uint64_t addr)
{
	size_t low = 0, high = space->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->v[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct lazy_range *space_find(const struct lazy_space *space, uint64_t addr)
{
	size_t i = space_index(space, addr);

	return i < space->n && space->v[i].start <= addr ? &space->v[i] : NULL;
}

static uint64_t bit_of(const struct lazy_range *range, uint64_t addr)
{
	return range->bit + (addr - range->start) / PAGE_SZ;
}

static bool is_done(const struct lazy_space *space, uint64_t bit)
{
	return space->done[bit / WORD] >> bit % WORD & 1;
}

bool space_is_missing(const struct lazy_space *space, const struct lazy_range *range, uint64_t addr)
{
	return !is_done(space, bit_of(range, addr));
}

uint64_t space_stretch(const struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len,
		       bool missing)
{
	uint64_t bit = bit_of(range, addr), pages = len / PAGE_SZ, n = 0;

	while (n < pages) {
		uint64_t word = missing ? space->done[(bit + n) / WORD] : ~space->done[(bit + n) / WORD];
		uint64_t left = MIN_OF(WORD - (bit + n) % WORD, pages - n);

		word >>= (bit + n) % WORD;
		if (word) {
			n += MIN_OF((uint64_t)__builtin_ctzll(word), left);
			if ((uint64_t)__builtin_ctzll(word) < left)
				break;
			continue;
		}
		n += left;
	}
	return n * PAGE_SZ;
}

void space_supplied(struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len)
{
	uint64_t bit = bit_of(range, addr);

	for (uint64_t end = bit + len / PAGE_SZ; bit < end; bit++) {
		if (is_done(space, bit))
			continue;
		space->done[bit / WORD] |= BIT(bit % WORD);
		space->missing--;
	}
}

static uint64_t count_missing(const struct lazy_space *space, const struct lazy_range *range)
{
	uint64_t n = 0;

	for (uint64_t addr = range->start; addr < range->end;) {
		uint64_t len = space_stretch(space, range, addr, range->end - addr, true);

		n += len / PAGE_SZ;
		addr += len;
		addr += space_stretch(space, range, addr, range->end - addr, false);
	}
	return n;
}

/* After that no range crosses @addr. */
static int split(struct lazy_space *space, uint64_t addr)
{
	size_t i = space_index(space, addr);
	struct lazy_range *range;
	int err;

	if (i == space->n || space->v[i].start >= addr)
		return 0;
	err = make_room(space, 1);
	if (err)
		return err;
	range = &space->v[i];
	memmove(range + 1, range, (space->n - i) * sizeof(*range));
	space->n++;
	range[1].at += addr - range->start;
	range[1].bit += (addr - range->start) / PAGE_SZ;
	range[1].start = range[0].end = addr;
	return 0;
}

/* Takes the ranges of [start, end) out: *ret_taken is to be freed. */
static int take(struct lazy_space *space, uint64_t start, uint64_t end, struct lazy_range **ret_taken, size_t *ret_n)
{
	size_t from, to;
	struct lazy_range *taken;
	int err = split(space, start);

	if (!err)
		err = split(space, end);
	if (err)
		return err;
	from = space_index(space, start);
	for (to = from; to < space->n && space->v[to].start < end;)
		to++;
	taken = malloc((to - from + 1) * sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	for (size_t i = from; i < to; i++) {
		taken[i - from] = space->v[i];
		space->missing -= count_missing(space, &space->v[i]);
	}
	if (to > from)
		memmove(&space->v[from], &space->v[to], (space->n - to) * sizeof(*taken));
	space->n -= to - from;
	space->cursor = 0;
	*ret_taken = taken;
	*ret_n = to - from;
	return 0;
}

int space_drop(struct lazy_space *space, uint64_t start, uint64_t end)
{
	struct lazy_range *taken;
	size_t n;
	int err = take(space, start, end, &taken, &n);

	if (!err)
		free(taken);
	return err;
}

static void put(struct lazy_space *space, const struct lazy_range *ranges, size_t n)
{
	size_t at = n ? space_index(space, ranges[0].start) : 0;

	if (!n)
		return;
	memmove(&space->v[at + n], &space->v[at], (space->n - at) * sizeof(*ranges));
	memcpy(&space->v[at], ranges, n * sizeof(*ranges));
	space->n += n;
	for (size_t i = at; i < at + n; i++)
		space->missing += count_missing(space, &space->v[i]);
}

int space_move(struct lazy_space *space, uint64_t from, uint64_t to, uint64_t len)
{
	struct lazy_range *taken;
	size_t n;
	int err = take(space, from, from + len, &taken, &n);

	if (err)
		return err;
	/* What was at the destination is unmapped. */
	err = space_drop(space, to, to + len);
	if (!err)
		err = make_room(space, n);
	for (size_t i = 0; !err && i < n; i++) {
		taken[i].start += to - from;
		taken[i].end += to - from;
	}
	if (!err)
		put(space, taken, n);
	free(taken);
	return err;
}

struct lazy_space *space_fork(const struct lazy_space *parent, int uffd)
{
	struct lazy_space *child = space_new(parent->pid);

	if (!child)
		return NULL;
	child->forked = true;
	child->uffd = uffd;
	child->bits = parent->bits;
	child->missing = parent->missing;
	child->done = malloc(words(parent) * sizeof(*child->done));
	if (!child->done || make_room(child, parent->n + 1)) {
		space_free(child);
		return NULL;
	}
	memcpy(child->done, parent->done, words(parent) * sizeof(*child->done));
	memcpy(child->v, parent->v, parent->n * sizeof(*child->v));
	child->n = parent->n;
	return child;
}
