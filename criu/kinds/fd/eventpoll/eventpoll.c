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
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kernel/fdinfo.h"
#include "kernel/kcmp.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/fds.h"

#define EPOLL_PRIVATE_BITS ((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define EPOLL_ANYTHING ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP))

/* struct epoll_params of the kernel, since Linux 6.9 */
struct busy_poll {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};
#define SET_BUSY_POLL _IOW(0x8a, 1, struct busy_poll) /* EPIOCSPARAMS */
#define GET_BUSY_POLL _IOR(0x8a, 2, struct busy_poll)

/* ---- dump ------------------------------------------------------------------------------- */

static bool eventpoll_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "eventpoll");
}

/* A kernel may know nothing of it. */
static void eventpoll_save_busy_poll(int fd, EventpollFileEntry *epfd)
{
	struct busy_poll p = { 0 };

	if (ioctl(fd, GET_BUSY_POLL, &p) || (!p.usecs && !p.budget && !p.prefer))
		return;
	epfd->has_busy_poll_usecs = epfd->has_busy_poll_budget = epfd->has_prefer_busy_poll = true;
	epfd->busy_poll_usecs = p.usecs;
	epfd->busy_poll_budget = p.budget;
	epfd->prefer_busy_poll = p.prefer;
}

static int eventpoll_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
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

static int compare_probes(const void *key, const void *probe)
{
	int fd = *(const int *)key, other = ((const struct fd_probe *)probe)->fd;

	return fd < other ? -1 : fd > other;
}

/* Is it the file of @at that @probe watches as @item? @nth: which one of those under that number. */
static int eventpoll_is_target(const struct fd_probe *probe, const struct fdinfo_item *item, uint32_t nth,
			       const struct fd_probe *at)
{
	if (item->epoll.has_file && (uint64_t)at->st.st_ino != item->epoll.ino)
		return false;
	/* Our own copy of the epoll stands for it: the task may have none (a descriptor in flight). */
	int same = sys_kcmp_epoll_tfd(at->task->t.host_pid, at->fd, probe->local, item->epoll.fd, nth);

	if (same < 0)
		return fail(same, "kcmp: compare watched number %d", item->epoll.fd);
	return same == 0;
}

/* Who has the file that is watched? *ret_at is NULL when no task has it. */
static int eventpoll_find_target(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
				 uint32_t nth, const struct fd_probe **ret_at)
{
	struct dump_task *task;
	const struct fd_probe *at;
	int is;

	/* Nearly always: still there, in the task that has the epoll. */
	at = probe->task->nr_fds ? bsearch(&item->epoll.fd, probe->task->fds, probe->task->nr_fds,
					   sizeof(*probe->task->fds), compare_probes) :
				   NULL;
	is = at ? eventpoll_is_target(probe, item, nth, at) : 0;
	if (is) {
		*ret_at = at;
		return is < 0 ? is : 0;
	}
	dump_for_each_task(task, dump) {
		for (size_t i = 0; i < task->nr_fds; i++) {
			is = eventpoll_is_target(probe, item, nth, &task->fds[i]);
			if (is) {
				*ret_at = &task->fds[i];
				return is < 0 ? is : 0;
			}
		}
	}
	*ret_at = NULL;
	return 0;
}

/* What an edge-triggered watch may have reported already. */
static int eventpoll_save_ready(const struct fd_probe *at, EventpollTfdEntry *tfd)
{
	_cleanup_close_ int fd = sys_pidfd_getfd(at->task->pidfd, at->fd);
	struct pollfd look = { .fd = fd, .events = (short)(tfd->events & 0x7fff) };

	if (fd < 0)
		return fail(fd, "epoll: take descriptor %d of pid %d", at->fd, at->task->t.pid);
	tfd->has_ready = poll(&look, 1, 0) == 1;
	tfd->ready = (uint16_t)look.revents;
	return 0;
}

static int eventpoll_save_watch(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
				uint32_t nth, EventpollTfdEntry *tfd)
{
	const struct fd_probe *at;
	int err = eventpoll_find_target(dump, probe, item, nth, &at);

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
			"epoll: watches a file that was its number %d (inode %lu), which no process of the tree has "
			"open any more, only others do: remove that watch, or dump those that have it too",
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

	/* They stand in the order of the file's address, so the same number may come again anywhere. */
	for (const struct fdinfo_item *i = info->v; i < item; i++)
		nth += i->tag == FDINFO_EPOLL_TFD && i->epoll.fd == item->epoll.fd;
	return nth;
}

static int compare_numbers(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Is any number watched twice? As a rule not, and then nobody needs to count. */
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

static int eventpoll_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
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
		err = eventpoll_save_watch(dump, probe, item, repeat ? eventpoll_nth(info, item) : 0,
					   &tfds[epfd->n_tfd]);
		if (err < 0)
			return err;
		epfd->tfd[epfd->n_tfd] = &tfds[epfd->n_tfd];
		epfd->n_tfd++;
	}
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

struct eventpoll_state {
	struct file **targets; /* of each watch */
};

static int eventpoll_load(struct restore *r, struct file *file, void *state)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	struct eventpoll_state *ep = state;

	if (!epfd)
		return fail(-EBADMSG, "files.img: file %u: an epoll without its record", file->id);
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

static struct file *eventpoll_file_at(const struct restore_task *task, int fd)
{
	const struct task_fd *at =
		task->nr_fds ? bsearch(&fd, task->fds, task->nr_fds, sizeof(*task->fds), compare_task_fds) : NULL;

	return at ? at->file : NULL;
}

static int eventpoll_link(struct restore *r, struct file *file, void *state)
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
		/* CRIU's images have the number alone: some task that has the epoll has it. */
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

/* It makes waiting faster, no more: a kernel or a user that may not is no reason to fail. */
static void eventpoll_set_busy_poll(int fd, const EventpollFileEntry *epfd)
{
	struct busy_poll p = { .usecs = epfd->busy_poll_usecs,
			       .budget = (uint16_t)epfd->busy_poll_budget,
			       .prefer = epfd->prefer_busy_poll };

	if ((p.usecs || p.budget || p.prefer) && ioctl(fd, SET_BUSY_POLL, &p))
		log_warn("epoll: busy polling (EPIOCSPARAMS: %u us, budget %u) cannot be set: %s", p.usecs, p.budget,
			 strerror(errno));
}

static int eventpoll_open(struct restore *r, struct file *file, const void *state)
{
	const EventpollFileEntry *epfd = file->entry->epfd;
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(-errno, "epoll_create1");
	eventpoll_set_busy_poll(fd, epfd);
	err = set_status_flags(fd, epfd->flags, epfd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static int eventpoll_ctl_at(int epfd, int op, const EventpollTfdEntry *tfd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = tfd->data };

	if (epoll_ctl(epfd, op, (int)tfd->tfd, &event) < 0)
		return fail(-errno, "epoll: watch number %u for events 0x%x", tfd->tfd, events);
	return 0;
}

/* One that is filled with its watches. */
struct eventpoll_made {
	struct restore *r;
	const EventpollFileEntry *entry;
	struct file *const *targets;
	int fd;
};

struct eventpoll_op {
	int op; /* EPOLL_CTL_... */
	size_t i; /* of the watches */
	uint32_t events;
};

/* Put @target under the watch's number for a moment: that number is free, or something else is there. */
static int eventpoll_ctl_elsewhere(const struct eventpoll_made *made, const struct eventpoll_op *op, int target)
{
	const EventpollTfdEntry *tfd = made->entry->tfd[op->i];
	int number = (int)tfd->tfd, was = fcntl(number, F_GETFD), err;
	_cleanup_close_ int occupant = -1;

	if (was >= 0) {
		occupant = dup_fd_above(number, made->r->service_base);
		if (occupant < 0)
			return fail(occupant, "set descriptor %d aside", number);
	}
	if (dup3(target, number, O_CLOEXEC) < 0)
		return fail(-errno, "put what epoll watches at number %d", number);
	err = eventpoll_ctl_at(made->fd, op->op, tfd, op->events);
	if (occupant < 0)
		close(number);
	else if (dup3(occupant, number, was & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		return fail(-errno, "put descriptor %d back", number);
	return err;
}

static int eventpoll_ctl(const struct eventpoll_made *made, int op, size_t i, uint32_t events)
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
	/* The very number is refused by dup3(2). */
	err = fd == (int)tfd->tfd ? eventpoll_ctl_at(made->fd, op, tfd, events) :
				    eventpoll_ctl_elsewhere(made, &what, fd);
	if (!borrowed)
		close(fd);
	return err;
}

/* A one-shot watch that has fired has no events left, not even ERR and HUP, which every epoll_ctl() adds. */
static bool eventpoll_is_disarmed(const EventpollTfdEntry *tfd)
{
	return (tfd->events & EPOLLONESHOT) && !(tfd->events & ~EPOLL_PRIVATE_BITS);
}

/* To disarm it, let it fire: nearly every file is ready for something. */
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
	/* Not ready for anything (a timer that runs, a signalfd): then it may fire on errors and hang-ups alone. */
	return eventpoll_ctl(made, EPOLL_CTL_MOD, i, private_bits);
}

/* The edge had been taken before the dump. */
static bool eventpoll_is_stale_edge(const EventpollFileEntry *epfd, size_t i)
{
	const EventpollTfdEntry *tfd = epfd->tfd[i];

	return epfd->idle && (tfd->events & EPOLLET) && (tfd->ready & tfd->events) && !eventpoll_is_disarmed(tfd);
}

/*
 * Of the watches up to @i only those with stale edges exist yet, and only @i can have one. What others report is new:
 * it is brought back.
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
	/* One-shot: it was armed, and the edge that is swallowed has disarmed it. It fires again: better than never. */
	if (swallowed && (entry->tfd[i]->events & EPOLLONESHOT))
		return eventpoll_ctl(made, EPOLL_CTL_MOD, i, entry->tfd[i]->events);
	return 0;
}

static int eventpoll_finish(struct restore *r, struct file *file, const void *state, int fd)
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
