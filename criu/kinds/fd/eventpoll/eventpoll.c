// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll(7). The kernel identifies a watch by the open file and its descriptor number at that time: that number may have
 * been closed since, or refer to another file, or belong to another task. kcmp(2) finds the file.
 *
 * Edges: a new watch on a file that is ready reports it once, though the program may have consumed that edge already.
 * So if epoll_wait() would have found nothing at the dump, the edge of a file that was ready then is swallowed. If
 * there were events, it is not known for which watches: one of those may report once more, which epoll(7) allows.
 */
#include <errno.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/eventpoll/internal.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/describe.h"
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

static void eventpoll_describe(const FileEntry *entry, struct description *d)
{
	if (entry->epfd)
		describe_add(d, "epoll of %zu descriptor%s", entry->epfd->n_tfd, entry->epfd->n_tfd == 1 ? "" : "s");
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
	.describe = eventpoll_describe,
};
