// SPDX-License-Identifier: GPL-2.0-only
/* Processes change their memory while pages are outstanding: the spaces follow. Also in the holder, on its own copy. */
#include <errno.h>
#include <stddef.h>
#include "lazy/events.h"
#include "util/log.h"

struct lazy_space *space_by_uffd(const struct lazy_daemon *d, int uffd)
{
	struct lazy_space *space = d->spaces;

	while (space && (space->uffd != uffd || space->ended))
		space = space->next;
	return space;
}

static int add_child(struct lazy_daemon *d, const struct lazy_space *parent, int uffd)
{
	struct lazy_space *child = space_fork(parent, uffd);

	if (!child)
		return -ENOMEM;
	child->next = d->spaces;
	d->spaces = child;
	return 0;
}

int event_apply(struct lazy_daemon *d, struct lazy_space *space, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_FORK:
		return add_child(d, space, (int)msg->arg.fork.ufd);
	case UFFD_EVENT_REMAP:
		return space_move(space, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		return space_drop(space, msg->arg.remove.start, msg->arg.remove.end);
	}
	return 0;
}
