// SPDX-License-Identifier: GPL-2.0-only
/* Adds watches so that they report new events only. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "kinds/fd/eventpoll/internal.h"
#include "util/log.h"

#define EPOLL_PRIVATE_BITS ((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define EPOLL_ANYTHING ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP))

/* A one-shot watch that has fired has no events left, not even ERR and HUP, which every epoll_ctl() adds. */
static bool eventpoll_is_disarmed(const EventpollTfdEntry *tfd)
{
	return (tfd->events & EPOLLONESHOT) && !(tfd->events & ~EPOLL_PRIVATE_BITS);
}

/* Disarms it by letting it fire: nearly every file is ready for something. */
static int eventpoll_add_disarmed(const struct eventpoll_made *made, size_t i)
{
	uint32_t private_bits = made->entry->tfd[i]->events;
	struct epoll_event event;
	int n, err = eventpoll_ctl(made, EPOLL_CTL_ADD, i, private_bits | EPOLL_ANYTHING);

	if (err < 0)
		return err;
	n = epoll_wait(made->fd, &event, 1, 0);
	if (n < 0)
		return fail(-errno, "epoll_wait");
	if (n)
		return 0;
	/* Not ready for anything (a running timer, a signalfd): then it may fire on errors and hang-ups only. */
	return eventpoll_ctl(made, EPOLL_CTL_MOD, i, private_bits);
}

/* The edge had been consumed before the dump. */
static bool eventpoll_is_stale_edge(const EventpollFileEntry *epfd, size_t i)
{
	const EventpollTfdEntry *tfd = epfd->tfd[i];

	return epfd->idle && (tfd->events & EPOLLET) && (tfd->ready & tfd->events) && !eventpoll_is_disarmed(tfd);
}

/*
 * Of the watches up to @i, only those with stale edges exist yet, and only @i can have one. Reports of others are new:
 * they are restored.
 */
static int eventpoll_swallow_edge(const struct eventpoll_made *made, size_t i, struct epoll_event *events, int max)
{
	const EventpollFileEntry *entry = made->entry;
	bool swallowed = false;
	int n = epoll_wait(made->fd, events, max, 0);

	if (n < 0)
		return fail(-errno, "epoll_wait");
	for (int e = 0; e < n; e++) {
		if (!swallowed && events[e].data.u64 == entry->tfd[i]->data) {
			swallowed = true;
			continue;
		}
		for (size_t k = 0; k < i; k++) {
			if (!eventpoll_is_stale_edge(entry, k) || entry->tfd[k]->data != events[e].data.u64)
				continue;
			int err = eventpoll_ctl(made, EPOLL_CTL_MOD, k, entry->tfd[k]->events);
			if (err < 0)
				return err;
		}
	}
	/* One-shot: it was armed, and swallowing the edge has disarmed it. It fires again: better than never. */
	if (swallowed && (entry->tfd[i]->events & EPOLLONESHOT))
		return eventpoll_ctl(made, EPOLL_CTL_MOD, i, entry->tfd[i]->events);
	return 0;
}

int eventpoll_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	const struct eventpoll_made made = { r, epfd, ((const struct eventpoll_state *)state)->targets, fd };
	_cleanup_free_ struct epoll_event *events = NULL;
	int err = 0, max = 16;

	events = malloc((size_t)max * sizeof(*events));
	if (!events)
		return fail(-ENOMEM, "epoll");
	for (size_t i = 0; i < epfd->n_tfd && err >= 0; i++)
		if (eventpoll_is_disarmed(epfd->tfd[i]))
			err = eventpoll_add_disarmed(&made, i);
	for (size_t i = 0; i < epfd->n_tfd && err >= 0; i++) {
		if (!eventpoll_is_stale_edge(epfd, i))
			continue;
		err = eventpoll_ctl(&made, EPOLL_CTL_ADD, i, epfd->tfd[i]->events);
		if (err >= 0)
			err = eventpoll_swallow_edge(&made, i, events, max);
	}
	for (size_t i = 0; i < epfd->n_tfd && err >= 0; i++)
		if (!eventpoll_is_disarmed(epfd->tfd[i]) && !eventpoll_is_stale_edge(epfd, i))
			err = eventpoll_ctl(&made, EPOLL_CTL_ADD, i, epfd->tfd[i]->events);
	return err;
}
