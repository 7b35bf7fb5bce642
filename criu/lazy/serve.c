// SPDX-License-Identifier: GPL-2.0-only
/* The first thread: faults, and events of the processes. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "lazy/arrivals.h"
#include "lazy/events.h"
#include "lazy/holder.h"
#include "lazy/prefetch.h"
#include "lazy/remote.h"
#include "lazy/serve.h"
#include "lazy/supply.h"
#include "util/log.h"

#define READY_MAX 32
/* A process that is changing its map tells us of that soon. */
#define RETRY_MS 1

static void lock(struct lazy_daemon *d)
{
	atomic_fetch_add(&d->fault_waits, 1);
	pthread_mutex_lock(&d->lock);
	atomic_fetch_sub(&d->fault_waits, 1);
}

static void unlock(struct lazy_daemon *d)
{
	pthread_mutex_unlock(&d->lock);
}

/* The holder empties the journal when it is full, or has died and has to be replaced. */
static int await_room(struct lazy_daemon *d)
{
	while (!journal_room(d->journal)) {
		int err = helper_has_ended(&d->holder) ? holder_start(d) : 0;

		if (err)
			return err;
		eventfd_write(d->catch_up, 1);
		sched_yield();
	}
	return 0;
}

/* Reads what one process reports into the journal. The number of messages, or a negative errno. */
static ssize_t read_messages(struct lazy_daemon *d, const struct lazy_space *space, struct uffd_msg **ret_first)
{
	struct lazy_journal *j = d->journal;
	int err = await_room(d);
	size_t at = atomic_load(&j->head) % JOURNAL_SLOTS, room = err ? 0 : journal_room(j);
	ssize_t got;

	if (err)
		return err;
	for (size_t i = 0; i < room; i++)
		j->uffd[at + i] = space->uffd;
	atomic_thread_fence(memory_order_seq_cst);
	got = read(space->uffd, &j->msg[at], room * sizeof(j->msg[0]));
	*ret_first = &j->msg[at];
	return got < 0 ? -errno : got / (ssize_t)sizeof(j->msg[0]);
}

/* A journal of faults only is not kept. */
static void note_messages(struct lazy_daemon *d, struct uffd_msg *first, size_t n, bool has_events)
{
	struct lazy_journal *j = d->journal;

	if (!has_events) {
		memset(first, 0, n * sizeof(*first));
		return;
	}
	if (atomic_fetch_add(&j->head, n) + n - atomic_load(&j->tail) > JOURNAL_SLOTS / 4)
		eventfd_write(d->catch_up, 1);
}

static int watch(struct lazy_daemon *d, struct lazy_space *space)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = space };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, space->uffd, &event) < 0 ? -errno : 0;
}

static int apply(struct lazy_daemon *d, struct lazy_space *space, const struct uffd_msg *msg)
{
	int err = event_apply(d, space, msg);

	if (!err && msg->event == UFFD_EVENT_FORK)
		err = watch(d, d->spaces);
	if (err)
		return fail(err, "pages of process %d", space->pid);
	pthread_cond_broadcast(&d->more);
	return 0;
}

/* Events first: no page can be put in place before they have been read. */
static int take_messages(struct lazy_daemon *d, struct lazy_space *space)
{
	struct uffd_msg *msg = NULL;
	bool has_events = false;
	int err = 0;
	ssize_t n = read_messages(d, space, &msg);

	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : fail((int)n, "read of process %d", space->pid);
	for (ssize_t i = 0; !err && i < n; i++) {
		if (msg[i].event != UFFD_EVENT_PAGEFAULT) {
			has_events = true;
			err = apply(d, space, &msg[i]);
			continue;
		}
		err = array_add(&d->retry, ((struct lazy_fault){ space, msg[i].arg.pagefault.address }));
	}
	note_messages(d, msg, (size_t)n, has_events);
	return err;
}

/* All faults that wait; those of a process that is changing its map stay. */
static void answer(struct lazy_daemon *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->retry.n; i++) {
		struct lazy_fault fault = d->retry.v[i];
		int err = fault.space->uffd < 0 ? 0 : supply_fault(d, fault.space, fault.addr);

		if (err == -EAGAIN || err == -ENOMEM)
			d->retry.v[kept++] = fault;
	}
	d->retry.n = kept;
}

static int serve_space(struct lazy_daemon *d, struct lazy_space *space)
{
	int err;

	lock(d);
	err = space->uffd < 0 ? 0 : take_messages(d, space);
	if (!err)
		answer(d);
	unlock(d);
	return err;
}

/* The journal tells the holder first: the number may be used again. */
static void close_space(struct lazy_daemon *d, struct lazy_space *space)
{
	struct lazy_journal *j = d->journal;
	size_t at = atomic_load(&j->head) % JOURNAL_SLOTS;

	j->uffd[at] = space->uffd;
	j->msg[at].event = JOURNAL_CLOSED;
	atomic_fetch_add(&j->head, 1);
	log_debug("lazy pages: process %d%s is complete", space->pid, space->forked ? " (a child)" : "");
	close(space->uffd);
	space->uffd = -1;
	space->ended = true;
}

/* False: there are still some. */
static bool close_complete(struct lazy_daemon *d, int *err)
{
	bool all = true;

	lock(d);
	for (struct lazy_space *s = d->spaces; s && !*err; s = s->next) {
		if (s->uffd >= 0 && (!s->missing || s->ended)) {
			*err = await_room(d);
			if (!*err)
				close_space(d, s);
		}
		all &= s->ended;
	}
	unlock(d);
	return all;
}

static int take_arrivals(struct lazy_daemon *d)
{
	int err;

	lock(d);
	err = arrivals_take(d);
	unlock(d);
	d->left = err == 1;
	if (d->left)
		return fail(-ECONNRESET, "the restore has ended before the tree was complete");
	if (err || !d->committed)
		return err;
	close(d->sock);
	d->sock = -1;
	lock(d);
	pthread_cond_broadcast(&d->more);
	unlock(d);
	return prefetch_start(d);
}

/*
 * What is only there is lost. If it was no tree, which continues in one place only, the one that runs here gets the others nevertheless;
 * one that does not run yet is given up.
 */
static int source_failed(struct lazy_daemon *d)
{
	const int err = atomic_load(&d->failed);

	if (!err || !d->committed || atomic_load(&d->journal->live) != LAZY_SOURCE_IMAGES)
		return err;
	if (!d->source_lost)
		epoll_ctl(d->epoll, EPOLL_CTL_DEL, remote_fd(d), NULL);
	d->source_lost = true;
	return 0;
}

/* The thread that fetches pages finds out itself, unless there are none to fetch: then it is no loss. */
static int hung_up(struct lazy_daemon *d)
{
	if (!d->committed || atomic_load(&d->journal->live) != LAZY_SOURCE_IMAGES)
		return remote_hung_up(d);
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, remote_fd(d), NULL);
	return 0;
}

/* 0, or the error that ends the daemon. */
static int serve_ready(struct lazy_daemon *d, const struct epoll_event *event)
{
	eventfd_t value;

	if (event->data.ptr == &d->sock)
		return d->sock < 0 ? 0 : take_arrivals(d);
	if (event->data.ptr == &d->kick)
		return eventfd_read(d->kick, &value), source_failed(d);
	if (event->data.ptr == &d->remote)
		return hung_up(d);
	if (event->data.ptr == &d->holder) {
		int err = 0;

		lock(d);
		if (helper_has_ended(&d->holder))
			err = holder_start(d);
		unlock(d);
		return err;
	}
	return serve_space(d, event->data.ptr);
}

static int begin(struct lazy_daemon *d)
{
	struct epoll_event sock = { .events = EPOLLIN, .data.ptr = &d->sock };
	struct epoll_event kick = { .events = EPOLLIN, .data.ptr = &d->kick };
	struct epoll_event hung_up = { .events = EPOLLRDHUP, .data.ptr = &d->remote };

	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->sock, &sock) < 0 ||
	    epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->kick, &kick) < 0 ||
	    (d->remote && epoll_ctl(d->epoll, EPOLL_CTL_ADD, remote_fd(d), &hung_up) < 0))
		return fail(-errno, "epoll");
	return 0;
}

int serve(struct lazy_daemon *d)
{
	struct epoll_event ready[READY_MAX];
	bool again = false; /* a process was changing its map */
	int err = begin(d);

	while (!err && (!close_complete(d, &err) || !d->committed)) {
		int n = epoll_wait(d->epoll, ready, READY_MAX, d->retry.n || again ? RETRY_MS : -1);

		for (int i = 0; !err && i < n; i++)
			err = serve_ready(d, &ready[i]);
		lock(d);
		answer(d);
		again = d->source_lost && remote_give_up(d);
		unlock(d);
	}
	return err;
}
