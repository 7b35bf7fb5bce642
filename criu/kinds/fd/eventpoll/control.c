// SPDX-License-Identifier: GPL-2.0-only
/*
 * A watch is added under its original descriptor number, though that may be in use for another file, or free, by now.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/eventpoll/internal.h"
#include "util/fds.h"
#include "util/log.h"

static int eventpoll_ctl_at(int epfd, int op, const EventpollTfdEntry *tfd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = tfd->data };

	if (epoll_ctl(epfd, op, (int)tfd->tfd, &event) < 0)
		return fail(-errno, "epoll: watch number %u for events 0x%x", tfd->tfd, events);
	return 0;
}

struct eventpoll_op {
	int op; /* EPOLL_CTL_... */
	size_t i; /* of the watch */
	uint32_t events;
};

/* Puts @target under the watch's number for a moment: that number is free, or in use for another file. */
static int eventpoll_ctl_elsewhere(const struct eventpoll_made *made, const struct eventpoll_op *op, int target)
{
	const EventpollTfdEntry *tfd = made->entry->tfd[op->i];
	int number = (int)tfd->tfd, was = fcntl(number, F_GETFD), err;
	_cleanup_close_ int occupant = -1;

	if (was >= 0) {
		occupant = dup_fd_above(number, made->r->service_base);
		if (occupant < 0)
			return fail(occupant, "save descriptor %d", number);
	}
	if (dup3(target, number, O_CLOEXEC) < 0)
		return fail(-errno, "put the file watched by epoll at number %d", number);
	err = eventpoll_ctl_at(made->fd, op->op, tfd, op->events);
	if (occupant < 0)
		close(number);
	else if (dup3(occupant, number, was & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		return fail(-errno, "restore descriptor %d", number);
	return err;
}

int eventpoll_ctl(const struct eventpoll_made *made, int op, size_t i, uint32_t events)
{
	const struct eventpoll_op what = { op, i, events };
	const EventpollTfdEntry *tfd = made->entry->tfd[i];
	struct file *target = made->targets[i];
	struct restore *r = made->r;
	bool borrowed;
	int fd, err;

	if (r->process.task && eventpoll_file_at(r->process.task, (int)tfd->tfd) == target)
		return eventpoll_ctl_at(made->fd, op, tfd, events);
	fd = restore_borrow_fd(r, target, &borrowed);
	if (fd < 0)
		return fd;
	/* dup3(2) refuses the same number. */
	err = fd == (int)tfd->tfd ? eventpoll_ctl_at(made->fd, op, tfd, events) :
				    eventpoll_ctl_elsewhere(made, &what, fd);
	if (!borrowed)
		close(fd);
	return err;
}
