// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a restore sends, in the form of CRIU 4.2: for each process of the images int32 pid, then one byte with its
 * userfaultfd, or int32 -pid if it has no memory; and when the tree is complete, before it runs, the word below.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lazy/arrivals.h"
#include "lazy/lazy.h"
#include "lazy/members.h"
#include "util/log.h"

static int attach(struct lazy_daemon *d, const struct lazy_arrival *arrival)
{
	struct lazy_space *space = d->spaces;
	struct epoll_event event = { .events = EPOLLIN };
	int fd = journal_arrived_fd(arrival);

	if (fd < 0)
		return fail(-EPROTO, "restore has sent no userfaultfd for process %d", arrival->pid);
	while (space && (space->pid != arrival->pid || space->uffd >= 0 || space->ended))
		space = space->next;
	if (!space)
		return fail(-EPROTO, "restore has sent a userfaultfd of process %d, which the images do not have",
			    arrival->pid);
	space->uffd = fd;
	event.data.ptr = space;
	/* In the holder there is none. */
	if (d->epoll < 0)
		return 0;
	log_debug("lazy pages: process %d: %lu pages to supply", space->pid, space->missing);
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return fail(-errno, "watch process %d", space->pid);
	return 0;
}

/* A process without memory of its own, or whose pages were all loaded by the restore. */
static int note_none(struct lazy_daemon *d, pid_t pid)
{
	for (struct lazy_space *space = d->spaces; space; space = space->next)
		if (space->pid == pid && space->uffd < 0)
			space->ended = true;
	return 0;
}

static int complete(struct lazy_daemon *d, struct lazy_arrival *arrival)
{
	int err = arrival->pid == INT32_MIN ? fail(-EPROTO, "restore has reported an impossible process") :
		  arrival->pid < 0	    ? note_none(d, -arrival->pid) :
					      attach(d, arrival);

	if (!err)
		err = member_arrived(d, arrival);
	if (!err) {
		d->arrived++;
		atomic_store(&arrival->complete, 1);
	}
	return err;
}

static int receive_fd(struct lazy_daemon *d, struct lazy_arrival *arrival)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = arrival->control,
			      .msg_controllen = sizeof(arrival->control) };
	ssize_t got = recvmsg(d->sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got > 0)
		return complete(d, arrival);
	return got < 0 ? -errno : 1;
}

/* With its sender, which the kernel adds (SO_PASSCRED). */
static int receive_number(struct lazy_daemon *d, struct lazy_arrival *next, int32_t *ret)
{
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = next ? next->control : NULL,
			      .msg_controllen = next ? sizeof(next->control) : 0 };
	ssize_t got = recvmsg(d->sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got < 0)
		return -errno;
	if (!got)
		return 1;
	return got == sizeof(*ret) ? 0 : fail(-EPROTO, "restore has sent half a number");
}

static int commit(struct lazy_daemon *d)
{
	if (d->arrived < d->journal->nr_arrivals)
		return fail(-EPROTO, "restore has reported %zu of %zu processes", d->arrived, d->journal->nr_arrivals);
	d->committed = true;
	atomic_store(&d->journal->committed, 1);
	return 0;
}

/* Numbers of processes go straight to the journal: see there. */
static int take_one(struct lazy_daemon *d)
{
	struct lazy_arrival *next = d->arrived < d->journal->nr_arrivals ? &d->journal->arrivals[d->arrived] : NULL;
	int32_t word = 0;
	int err;

	/* A daemon that was killed here had received it already. */
	if (next && next->pid && journal_arrived_fd(next) >= 0)
		return complete(d, next);
	if (next && next->pid > 0)
		return receive_fd(d, next);
	if (next && next->pid < 0)
		return complete(d, next);
	err = receive_number(d, next, next ? &next->pid : &word);
	if (next)
		word = next->pid;
	if (err)
		return err;
	if (word == LAZY_COMMITTED) {
		if (next)
			next->pid = 0;
		return commit(d);
	}
	if (!next)
		return fail(-EPROTO, "restore has reported a process too many: %d", word);
	return word ? 0 : fail(-EPROTO, "restore has reported a process 0");
}

void arrivals_follow(struct lazy_daemon *d)
{
	struct lazy_journal *j = d->journal;

	while (d->arrived < j->nr_arrivals && atomic_load(&j->arrivals[d->arrived].complete))
		if (complete(d, &j->arrivals[d->arrived]))
			return;
}

int arrivals_take(struct lazy_daemon *d)
{
	int err = 0;

	while (!err && !d->committed)
		err = take_one(d);
	return err == -EAGAIN || err == -EINTR ? 0 : err;
}
