// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include "kinds/fd/eventpoll/internal.h"
#include "util/log.h"

int eventpoll_load(struct restore *r, struct file *file, void *state)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	struct eventpoll_state *ep = state;

	if (!epfd)
		return fail(-EBADMSG, "files.img: file %u: an epoll without an entry", file->id);
	for (size_t i = 0; i < epfd->n_tfd; i++)
		if (epfd->tfd[i]->tfd > INT32_MAX)
			return fail(-EBADMSG, "files.img: file %u: epoll watches number %u", file->id,
				    epfd->tfd[i]->tfd);
	ep->targets = restore_alloc(r, (epfd->n_tfd + 1) * sizeof(*ep->targets));
	return ep->targets ? 0 : fail(-ENOMEM, "epoll with %zu watches", epfd->n_tfd);
}

static int compare_task_fds(const void *key, const void *task_fd)
{
	int fd = *(const int *)key, other = ((const struct task_fd *)task_fd)->fd;

	return fd < other ? -1 : fd > other;
}

struct file *eventpoll_file_at(const struct restore_task *task, int fd)
{
	const struct task_fd *at =
		task->nr_fds ? bsearch(&fd, task->fds, task->nr_fds, sizeof(*task->fds), compare_task_fds) : NULL;

	return at ? at->file : NULL;
}

int eventpoll_link(struct restore *r, struct file *file, void *state)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	struct eventpoll_state *ep = state;

	for (size_t i = 0; i < epfd->n_tfd; i++) {
		const EventpollTfdEntry *tfd = epfd->tfd[i];

		if (tfd->has_target_id) {
			ep->targets[i] = restore_file(r, tfd->target_id, "a watch of an epoll");
			if (!ep->targets[i])
				return -EBADMSG;
		}
		/* CRIU's images have only the number: it is open in some task that has the epoll. */
		for (size_t u = 0; !ep->targets[i] && u < file->nr_users; u++)
			ep->targets[i] = eventpoll_file_at(file->users[u].task, (int)tfd->tfd);
		if (!ep->targets[i])
			return fail(-EBADMSG, "files.img: file %u: epoll watches number %u, which no task has",
				    file->id, tfd->tfd);
		if (ep->targets[i] == file)
			return fail(-EBADMSG, "files.img: file %u: epoll watches itself", file->id);
	}
	return 0;
}
