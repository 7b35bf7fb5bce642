// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll(7). The kernel knows a watch by the open file and the number it had then: the number may be closed by now, or
 * stand for another file, or lie in another task. kcmp(2) tells which file it is.
 *
 * Edges: a new watch on a file that is ready reports it once, though the program may have taken that edge already. So
 * where epoll_wait() would have found nothing at dump, the edge of a file that was ready then is swallowed. Where
 * something was waiting, nobody can tell what: such a watch may report once more, which epoll(7) allows.
 */
#include <errno.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/eventpoll/internal.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "util/log.h"

static bool eventpoll_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "eventpoll");
}

static int eventpoll_open(struct restore *r, struct file *file, const void *state)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(-errno, "epoll_create1");
	eventpoll_set_busy_poll(fd, epfd);
	err = set_status_flags(r, fd, epfd->flags, epfd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

const struct fd_kind eventpoll_kind = {
	.name = "eventpoll",
	.image_type = FD_TYPES__EVENTPOLL,
	.for_untrusted = true,
	.state_size = sizeof(struct eventpoll_state),
	.claims = eventpoll_claims,
	.save = eventpoll_save,
	.save_late = eventpoll_save_late,
	.load = eventpoll_load,
	.link = eventpoll_link,
	.open = eventpoll_open,
	.finish = eventpoll_finish,
};
