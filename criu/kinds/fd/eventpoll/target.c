// SPDX-License-Identifier: GPL-2.0-only
/* The file behind a watch: kcmp(2) tells whether a descriptor of a task refers to it. */
#include <errno.h>
#include <stdlib.h>
#include "kernel/kcmp.h"
#include "kinds/fd/eventpoll/internal.h"
#include "util/log.h"

static int compare_probes(const void *key, const void *probe)
{
	int fd = *(const int *)key, other = ((const struct fd_probe *)probe)->fd;

	return fd < other ? -1 : fd > other;
}

/* Is the file of @at the watched one? */
static int is_target(const struct eventpoll_watch *watch, const struct fd_probe *at)
{
	const struct fdinfo_item *item = watch->item;

	if (item->epoll.has_file && (uint64_t)at->st.st_ino != item->epoll.ino)
		return false;
	/* Compared with our own copy of the epoll: the task may have none (a descriptor in flight). */
	int same = sys_kcmp_epoll_tfd(at->task->t.host_pid, at->fd, watch->probe->local, item->epoll.fd, watch->nth);

	if (same < 0)
		return fail(same, "kcmp: compare watched number %d", item->epoll.fd);
	return same == 0;
}

int eventpoll_find_target(struct dump *dump, const struct eventpoll_watch *watch, const struct fd_probe **ret_at)
{
	const struct dump_task *has = watch->probe->task;
	struct dump_task *task;
	const struct fd_probe *at;
	int is;

	/* Nearly always: still open, in the task that has the epoll. */
	at = has->nr_fds ? bsearch(&watch->item->epoll.fd, has->fds, has->nr_fds, sizeof(*has->fds), compare_probes) :
			   NULL;
	is = at ? is_target(watch, at) : 0;
	if (is) {
		*ret_at = at;
		return is < 0 ? is : 0;
	}
	dump_for_each_task(task, dump) {
		for (size_t i = 0; i < task->nr_fds; i++) {
			is = is_target(watch, &task->fds[i]);
			if (is) {
				*ret_at = &task->fds[i];
				return is < 0 ? is : 0;
			}
		}
	}
	*ret_at = NULL;
	return 0;
}
