// SPDX-License-Identifier: GPL-2.0-only
/* The watches of an epoll, as /proc lists them. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "kinds/fd/eventpoll/internal.h"
#include "util/fds.h"
#include "util/log.h"

/* Events that an edge-triggered watch may have reported already. */
static int eventpoll_save_ready(const struct fd_probe *at, EventpollTfdEntry *tfd)
{
	_cleanup_close_ int fd = sys_pidfd_getfd(at->task->pidfd, at->fd);
	struct pollfd look = { .fd = fd, .events = (short)(tfd->events & 0x7fff) };

	if (fd < 0)
		return fail(fd, "epoll: copy descriptor %d of pid %d", at->fd, at->task->t.pid);
	tfd->has_ready = poll(&look, 1, 0) == 1;
	tfd->ready = (uint16_t)look.revents;
	return 0;
}

static int eventpoll_save_watch(struct dump *dump, const struct eventpoll_watch *watch, EventpollTfdEntry *tfd)
{
	const struct fd_probe *probe = watch->probe, *at;
	const struct fdinfo_item *item = watch->item;
	int err = eventpoll_find_target(dump, watch, &at);

	if (err < 0)
		return err;
	eventpoll_tfd_entry__init(tfd);
	tfd->tfd = item->epoll.fd;
	tfd->events = item->epoll.events;
	tfd->data = item->epoll.data;
	if (item->epoll.has_file) {
		tfd->has_dev = tfd->has_inode = tfd->has_pos = true;
		tfd->dev = item->epoll.sdev;
		tfd->inode = item->epoll.ino;
		tfd->pos = item->epoll.pos;
	}
	if (!at) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"epoll: watches a file that was its descriptor %d (inode %lu), which no process of the tree has "
			"open any more, only others have: remove that watch, or dump those processes as well",
			item->epoll.fd, item->epoll.ino);
		return 0;
	}
	err = dump_file_id_of(dump, at->task, at->fd, &tfd->target_id);
	if (err < 0)
		return fail(err, "epoll: number %d, descriptor %d of pid %d, has not been saved", item->epoll.fd,
			    at->fd, at->task->t.pid);
	tfd->has_target_id = true;
	return tfd->events & EPOLLET ? eventpoll_save_ready(at, tfd) : 0;
}

/* How many watches with that number the kernel lists before this one. */
static uint32_t eventpoll_nth(const struct fdinfo *info, const struct fdinfo_item *item)
{
	uint32_t nth = 0;

	/* They are listed in the order of the file's address, so the same number may appear again anywhere. */
	for (const struct fdinfo_item *i = info->v; i < item; i++)
		nth += i->tag == FDINFO_EPOLL_TFD && i->epoll.fd == item->epoll.fd;
	return nth;
}

static int compare_numbers(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Is any number watched twice? Usually not, and then counting is not needed. */
static int eventpoll_numbers_repeat(const struct fdinfo *info, size_t n, bool *ret_repeat)
{
	int *numbers = malloc(n * sizeof(*numbers) + 1);
	size_t k = 0;

	if (!numbers)
		return fail(-ENOMEM, "epoll");
	for (size_t i = 0; i < info->n; i++)
		if (info->v[i].tag == FDINFO_EPOLL_TFD)
			numbers[k++] = info->v[i].epoll.fd;
	qsort(numbers, k, sizeof(*numbers), compare_numbers);
	*ret_repeat = false;
	for (size_t i = 1; i < k; i++)
		*ret_repeat |= numbers[i] == numbers[i - 1];
	free(numbers);
	return 0;
}

int eventpoll_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	EventpollFileEntry *epfd = entry->epfd;
	EventpollTfdEntry *tfds;
	struct fdinfo *info;
	bool repeat = false;
	size_t n = 0;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	for (size_t i = 0; i < info->n; i++)
		n += info->v[i].tag == FDINFO_EPOLL_TFD;
	if (!n)
		return 0;
	err = eventpoll_numbers_repeat(info, n, &repeat);
	if (err < 0)
		return err;
	tfds = dump_alloc(dump, n * sizeof(*tfds));
	epfd->tfd = dump_alloc(dump, n * sizeof(*epfd->tfd));
	if (!tfds || !epfd->tfd)
		return fail(-ENOMEM, "epoll with %zu watches", n);
	for (size_t i = 0; i < info->n; i++) {
		const struct fdinfo_item *item = &info->v[i];

		if (item->tag != FDINFO_EPOLL_TFD)
			continue;
		const struct eventpoll_watch watch = { probe, item, repeat ? eventpoll_nth(info, item) : 0 };

		err = eventpoll_save_watch(dump, &watch, &tfds[epfd->n_tfd]);
		if (err < 0)
			return err;
		epfd->tfd[epfd->n_tfd] = &tfds[epfd->n_tfd];
		epfd->n_tfd++;
	}
	return 0;
}
