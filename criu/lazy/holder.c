// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that shares the daemon's descriptors. If the daemon is killed, the last copy of a userfaultfd must not be
 * closed while pages are missing: they would be read as zeros. The holder makes them inaccessible first (SIGBUS,
 * UFFDIO_POISON). It follows the spaces on a copy of its own, by the journal.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/arrivals.h"
#include "lazy/events.h"
#include "lazy/holder.h"
#include "lazy/members.h"
#include "lazy/remote.h"
#include "lazy/report.h"
#include "lazy/uffd.h"
#include "util/fds.h"
#include "util/log.h"

static void close_space(struct lazy_daemon *d, int uffd)
{
	struct lazy_space *space = space_by_uffd(d, uffd);

	if (space)
		space->ended = true;
}

static void follow_one(struct lazy_daemon *d, const struct uffd_msg *msg, int uffd)
{
	struct lazy_space *space;

	if (msg->event == JOURNAL_CLOSED)
		return close_space(d, uffd);
	space = space_by_uffd(d, uffd);
	if (space && event_apply(d, space, msg))
		log_error("lazy pages: out of memory: what process %d is missing is not known", space->pid);
}

/* Arrivals come before all events of their process. */
static void follow(struct lazy_daemon *d, uint64_t head)
{
	struct lazy_journal *j = d->journal;
	uint64_t tail = atomic_load(&j->tail);

	arrivals_follow(d);
	for (; tail != head; tail++) {
		size_t at = tail % JOURNAL_SLOTS;

		follow_one(d, &j->msg[at], j->uffd[at]);
		memset(&j->msg[at], 0, sizeof(j->msg[at]));
		atomic_store(&j->tail, tail + 1);
	}
}

/* What the daemon had read when it was killed. */
static uint64_t end_of_journal(const struct lazy_journal *j)
{
	uint64_t head = atomic_load(&j->head);

	while (head - atomic_load(&j->tail) < JOURNAL_SLOTS && j->msg[head % JOURNAL_SLOTS].event)
		head++;
	return head;
}

/* Events that nobody has read yet: the process waits for that. */
static void read_events(struct lazy_daemon *d, struct lazy_space *space)
{
	struct uffd_msg msg;

	while (read(space->uffd, &msg, sizeof(msg)) == sizeof(msg))
		event_apply(d, space, &msg);
}

/* -EAGAIN: there are events. */
static int poison_range(struct lazy_space *space, uint64_t addr, uint64_t end)
{
	uint64_t len = end - addr;

	while (addr < end) {
		uint64_t done;
		int err = uffd_poison(space->uffd, addr, MIN_OF(len, end - addr), &done);

		if (!err) {
			addr += done;
			space->lost += done / PAGE_SZ;
			len = end - addr;
		} else if (err == -EAGAIN || err == -ESRCH) {
			return err;
		} else if (err == -EEXIST || len <= PAGE_SZ) {
			addr += PAGE_SZ;
		} else {
			/* It extends over several mappings. */
			len = ROUND_UP(MIN_OF(len, end - addr) / 2, PAGE_SZ);
		}
	}
	return 0;
}

static void poison_space(struct lazy_daemon *d, struct lazy_space *space)
{
	read_events(d, space);
	for (size_t i = 0; i < space->n && !space->ended;) {
		int err = poison_range(space, space->v[i].start, space->v[i].end);

		if (err == -EAGAIN) {
			read_events(d, space);
			i = 0;
			continue;
		}
		space->ended = err;
		i++;
	}
}

static void report(struct lazy_daemon *d)
{
	for (const struct lazy_space *s = d->spaces; s; s = s->next) {
		if (!s->lost)
			continue;
		lazy_log(d);
		log_error(
			"process %d%s: the daemon that restores its memory has ended: %lu pages are missing, whoever accesses one gets SIGBUS",
			s->pid, s->forked ? " (a child)" : "", s->lost);
	}
}

static bool is_held(const struct lazy_space *space)
{
	return space->uffd >= 0 && !space->ended;
}

/*
 * The source is a tree that continues when it sees the end of our connection, which is open here: of two trees that
 * have become different only one may run.
 */
static void end_tree(struct lazy_daemon *d)
{
	const uint32_t out_of_reach = atomic_load(&d->journal->out_of_reach);

	members_kill(d);
	lazy_log(d);
	if (out_of_reach)
		log_error(
			"%u processes of the restored tree, which are in another pid namespace, still run: end them, it continues at the source",
			out_of_reach);
	else
		log_error("the restored tree is ended, as not all of its memory has come: it continues at the source");
}

/* The daemon has been killed, or has failed. */
static void mourn(struct lazy_daemon *d)
{
	/* Spaces are added at the front: a fork while others are made inaccessible. */
	struct lazy_space *first = NULL, *done_to = NULL;

	/* The restore sees that, or has sent its word before: then the tree is going to run. */
	if (!atomic_load(&d->journal->committed)) {
		shutdown(d->sock, SHUT_RDWR);
		arrivals_take(d);
	}
	follow(d, end_of_journal(d->journal));
	/* Those that it does not find, as their parents have exited, get no empty memory either. */
	if (atomic_load(&d->journal->live))
		end_tree(d);
	while (first != d->spaces) {
		first = d->spaces;
		for (struct lazy_space *s = first; s != done_to; s = s->next)
			if (is_held(s))
				poison_space(d, s);
		done_to = first;
		/* A child that was forked before its parent was done has a copy of what was missing then. */
		for (struct lazy_space *s = first; s; s = s->next)
			if (is_held(s))
				read_events(d, s);
	}
	report(d);
}

static int hold(void *arg)
{
	struct lazy_daemon *d = arg;
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = d->catch_up, .events = POLLIN } };
	uint32_t end;

	prctl(PR_SET_NAME, "criu-lazy-hold");
	d->epoll = -1;
	/* It may be dead already: then this is a descriptor of another process, and its pid is not our parent's. */
	fds[0].fd = sys_pidfd_open(d->self, 0);
	while (getppid() == d->self) {
		eventfd_t value;

		if (poll(fds, 2, fds[0].fd < 0 ? 100 : -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			eventfd_read(d->catch_up, &value);
		follow(d, atomic_load(&d->journal->head));
		if (fds[0].revents)
			break;
	}
	end = atomic_load(&d->journal->finished);
	if (end == LAZY_UNFINISHED || (end == LAZY_CONFIRMING && !remote_confirm_again(d)))
		mourn(d);
	return 0;
}

int holder_start(struct lazy_daemon *d)
{
	struct helper_job job = { .run = hold, .arg = d, .shares_fds = true };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &d->holder };
	int err;

	/* This one begins with our own spaces. */
	memset(d->journal->msg, 0, sizeof(d->journal->msg));
	atomic_store(&d->journal->tail, atomic_load(&d->journal->head));
	d->self = getpid();
	err = helper_start(&d->holder, &job);
	if (!err && epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->holder.pidfd, &event) < 0)
		err = -errno;
	return err ? fail(err, "a process that guards lazy pages") : 0;
}
