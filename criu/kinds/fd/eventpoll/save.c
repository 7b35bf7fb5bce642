// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include "kinds/fd/eventpoll/internal.h"
#include "util/log.h"

int eventpoll_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	EventpollFileEntry *epfd = dump_alloc(dump, sizeof(*epfd));
	struct pollfd look = { .fd = probe->local, .events = POLLIN };
	int err;

	if (!epfd)
		return fail(-ENOMEM, "epoll");
	eventpoll_file_entry__init(epfd);
	err = dump_fown(dump, probe, &epfd->fown);
	if (err < 0)
		return err;
	epfd->id = entry->id;
	epfd->flags = probe->flags;
	epfd->has_idle = epfd->idle = poll(&look, 1, 0) == 0;
	eventpoll_save_busy_poll(probe->local, epfd);
	entry->epfd = epfd;
	return 0;
}
