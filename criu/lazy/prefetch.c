// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second thread: supplies all other pages. It reads without the lock, and takes it for a few pages at a
 * time, so that faults do not wait. No malloc without the lock: the first thread may fork the holder meanwhile.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/prefetch.h"
#include "lazy/supply.h"
#include "util/fds.h"
#include "util/log.h"

struct piece {
	struct lazy_space *space;
	uint64_t addr, len, at;
	int fd;
};

static void take_lock(struct lazy_daemon *d)
{
	while (atomic_load(&d->fault_waits))
		sched_yield();
	pthread_mutex_lock(&d->lock);
}

/* With the lock. */
static bool next_piece(struct lazy_space *space, struct piece *ret)
{
	for (; space->cursor < space->n; space->cursor++) {
		const struct lazy_range *range = &space->v[space->cursor];
		uint64_t len = range->end - range->start;
		uint64_t skip = space_stretch(space, range, range->start, len, false);

		if (range->fd < 0 || skip == len)
			continue;
		len = space_stretch(space, range, range->start + skip, MIN_OF(LAZY_CHUNK, len - skip), true);
		*ret = (struct piece){ space, range->start + skip, len, range->at + skip, range->fd };
		return true;
	}
	return false;
}

/* Waits for one; false: it is to end. */
static bool find_piece(struct lazy_daemon *d, struct piece *ret)
{
	bool found = false;

	take_lock(d);
	while (!found && !d->stop) {
		for (struct lazy_space *s = d->spaces; s && !found; s = s->next)
			found = s->uffd >= 0 && !s->ended && next_piece(s, ret);
		if (!found)
			pthread_cond_wait(&d->more, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* From @done on. The process may have changed its memory since the piece was chosen. */
static int put_step(struct lazy_daemon *d, const struct piece *p, uint64_t done, const char *buffer, int lost)
{
	struct lazy_pages pages = { .space = p->space, .addr = p->addr + done };
	const struct lazy_range *range;
	int err = 0;

	take_lock(d);
	range = p->space->ended ? NULL : space_find(p->space, pages.addr);
	if (range && range->fd == p->fd && range->at + (pages.addr - range->start) == p->at + done) {
		pages.range = range;
		pages.len = MIN_OF(MIN_OF(LAZY_STEP, p->len - done), range->end - pages.addr);
		err = lost ? supply_lost(d, &pages, lost) : supply(&pages, buffer + done);
	}
	if (!p->space->missing || p->space->ended)
		eventfd_write(d->kick, 1);
	pthread_mutex_unlock(&d->lock);
	return err;
}

static void put_piece(struct lazy_daemon *d, const struct piece *p, const char *buffer, int lost)
{
	for (uint64_t done = 0; done < p->len;) {
		int err = put_step(d, p, done, buffer, lost);

		if (err == -EAGAIN || err == -ENOMEM)
			usleep(LAZY_BUSY_US); /* style: until the first thread has read the event, or there is memory */
		else if (err)
			return;
		else
			done += LAZY_STEP;
	}
}

static void *run(void *arg)
{
	struct lazy_daemon *d = arg;
	char *buffer = d->chunk;
	struct piece piece;

	while (find_piece(d, &piece)) {
		int err = lazy_sums_read(&d->sums, piece.fd, buffer, piece.len, piece.at);

		/* Only what cannot be read is lost. */
		if (err && piece.len > PAGE_SZ) {
			piece.len = PAGE_SZ;
			err = lazy_sums_read(&d->sums, piece.fd, buffer, piece.len, piece.at);
		}
		put_piece(d, &piece, buffer, err);
	}
	return NULL;
}

int prefetch_start(struct lazy_daemon *d)
{
	int err;

	d->chunk = malloc(LAZY_CHUNK);
	err = d->chunk ? pthread_create(&d->background, NULL, run, d) : ENOMEM;
	d->has_background = !err;
	return err ? fail(-err, "a thread for lazy pages") : 0;
}

void prefetch_end(struct lazy_daemon *d)
{
	if (!d->has_background)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->more);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->background, NULL);
}
