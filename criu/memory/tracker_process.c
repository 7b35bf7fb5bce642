/* SPDX-License-Identifier: GPL-2.0-only */
/* The tracker itself: it waits. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "memory/tracker.h"
#include "memory/tracker_table.h"
#include "util/fds.h"

struct keeping {
	int table, control;
	size_t nr;
	const struct kept *kept; /* with our descriptors */
	const int *pidfds;
};

/* Something was said: it stays. Otherwise the tool is gone. */
static bool is_confirmed(int control)
{
	char byte;

	return read(control, &byte, 1) == 1;
}

/* A process has ended: what it had is gone. */
static void drop_process(const struct keeping *k, size_t i, struct pollfd *poll)
{
	close(poll->fd);
	poll->fd = -1;
	if (k->kept[i].fd >= 0)
		close(k->kept[i].fd);
}

static int wait_for_all(const struct keeping *k, struct pollfd *polls)
{
	struct pollfd *control = &polls[k->nr];
	size_t left = k->nr;

	while (left || control->fd >= 0) {
		if (poll(polls, k->nr + 1, -1) < 0 && errno != EINTR)
			return 1;
		if (control->fd >= 0 && control->revents) {
			if (!is_confirmed(control->fd))
				return 0;
			close(control->fd);
			control->fd = -1;
		}
		for (size_t i = 0; i < k->nr; i++) {
			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			drop_process(k, i, &polls[i]);
			left--;
		}
	}
	return 0;
}

static int keep(void *arg)
{
	const struct keeping *k = arg;
	_cleanup_free_ struct pollfd *polls = calloc(k->nr + 1, sizeof(*polls));

	/* It must keep no mount busy; its name is how it is found, so that comes last. */
	if (!polls || chdir("/") < 0 || dup2(k->table, TRACKER_TABLE_FD) < 0) /* style: that number is known to all */
		return 1;
	prctl(PR_SET_NAME, TRACKER_NAME);
	for (size_t i = 0; i < k->nr; i++)
		polls[i] = (struct pollfd){ .fd = k->pidfds[i], .events = POLLIN };
	polls[k->nr] = (struct pollfd){ .fd = k->control, .events = POLLIN };
	/* The next dump may begin as soon as this one has confirmed it, and must find it. */
	if (send(k->control, "", 1, MSG_NOSIGNAL) != 1)
		return 0;
	return wait_for_all(k, polls);
}

static int make_table(const char *run_id, const struct kept_array *kept)
{
	struct tracker_table head = { .magic = TRACKER_MAGIC, .version = TRACKER_VERSION, .nr = kept->n };
	_cleanup_close_ int fd = memfd_create(TRACKER_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	strncpy(head.run_id, run_id, RUN_ID_SIZE - 1);
	err = write_full(fd, &head, sizeof(head));
	if (!err)
		err = write_full(fd, kept->v, kept->n * sizeof(*kept->v));
	if (!err && fcntl(fd, F_ADD_SEALS, TRACKER_SEALS))
		err = -errno;
	return err ? err : move_fd_above(steal_fd(&fd), TRACKER_TABLE_FD + 1);
}

static int start(const struct keeping *k, struct helper_process *ret)
{
	_cleanup_free_ int *keeps = calloc(2 * k->nr + 2, sizeof(*keeps));
	struct helper_job job = { .run = keep, .arg = (void *)k, .keeps = keeps };

	if (!keeps)
		return -ENOMEM;
	keeps[job.nr_keeps++] = k->table;
	keeps[job.nr_keeps++] = k->control;
	for (size_t i = 0; i < k->nr; i++) {
		keeps[job.nr_keeps++] = k->pidfds[i];
		if (k->kept[i].fd >= 0)
			keeps[job.nr_keeps++] = k->kept[i].fd;
	}
	return helper_start(ret, &job);
}

int tracker_start(const char *run_id, const struct kept_array *kept, const int *pidfds, struct own_tracker *ret)
{
	struct keeping k = { .kept = kept->v, .nr = kept->n, .pidfds = pidfds };
	_cleanup_close_ int table = make_table(run_id, kept);
	int pair[2], err;

	if (table < 0)
		return table;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	k.table = table;
	k.control = pair[1];
	err = start(&k, &ret->process);
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		ret->control = pair[0];
	return err;
}

int tracker_confirm(struct own_tracker *k)
{
	char byte;
	int err = 0;

	/* Nothing is read if somebody has killed it. */
	if (read_full(k->control, &byte, 1) != 1 || helper_has_ended(&k->process))
		err = -ESRCH;
	else if (send(k->control, "", 1, MSG_NOSIGNAL) != 1)
		err = -errno;
	cleanup_close(&k->control);
	k->control = -1;
	cleanup_close(&k->process.pidfd);
	k->process = HELPER_NONE;
	return err;
}

void tracker_drop(struct own_tracker *k)
{
	if (k->process.pid)
		helper_kill(&k->process);
	cleanup_close(&k->control);
	k->control = -1;
}
