// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/cgroup/keeper.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* For tasks that have been killed to leave the groups. */
#define LEAVE_MS 10000
#define REMOVE_AT_MOST_MS (LEAVE_MS + 2000)

struct cg_keeper {
	struct helper_process process;
	int tool, order_in; /* in the helper: a pidfd of the tool; a byte: remove them now */
	int order_out; /* in the tool */
	size_t nr, size;
	_Atomic bool freezes;
	_Atomic bool created[];
};

struct keeper_job {
	struct cg_restore *cg;
	struct shared *shared;
	struct cg_keeper *keeper;
};

/* ---- in the helper ---- */

static void remove_group(const struct cg_group *group, int *ms)
{
	while (unlinkat(group->h->root, group->path + 1, AT_REMOVEDIR) < 0 && errno == EBUSY && *ms < LEAVE_MS) {
		poll(NULL, 0, 1);
		(*ms)++;
	}
}

static void remove_all(struct cg_restore *cg, const struct cg_keeper *keeper)
{
	int ms = 0;

	for (size_t i = keeper->nr; i-- > 0;)
		if (atomic_load(&keeper->created[i]))
			remove_group(&cg->groups.v[i], &ms);
}

static int keep(void *arg)
{
	const struct keeper_job *job = arg;
	struct pollfd events[] = { { .fd = job->keeper->tool, .events = POLLIN },
				   { .fd = job->keeper->order_in, .events = POLLIN } };

	while (poll(events, 2, -1) < 0)
		if (errno != EINTR)
			return 1;
	if (!atomic_load(&job->shared->birth->committed))
		remove_all(job->cg, job->keeper);
	else if (atomic_load(&job->keeper->freezes))
		cg_freeze(job->cg);
	return 0;
}

/* ---- in the tool ---- */

static int start(struct restore *r, struct cg_restore *cg, struct cg_keeper *keeper)
{
	struct keeper_job own = { cg, r->shared, keeper };
	struct helper_job job = { .run = keep, .arg = &own };
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	keeper->order_out = ends[0];
	keeper->order_in = ends[1];
	keeper->tool = sys_pidfd_open(getpid(), 0);
	err = keeper->tool < 0 ? keeper->tool : 0;
	job.keeps = calloc(cg->own.n + 2, sizeof(*job.keeps));
	if (!err && !job.keeps)
		err = -ENOMEM;
	if (!err) {
		job.keeps[job.nr_keeps++] = keeper->tool;
		job.keeps[job.nr_keeps++] = keeper->order_in;
		for (size_t i = 0; i < cg->own.n; i++)
			if (cg->own.v[i].root >= 0)
				job.keeps[job.nr_keeps++] = cg->own.v[i].root;
		err = helper_start(&keeper->process, &job);
	}
	free(job.keeps);
	if (keeper->tool >= 0)
		close(keeper->tool);
	close(keeper->order_in);
	if (!err) {
		int high = move_fd_above(keeper->order_out, r->service_base);

		err = high < 0 ? high : 0;
		keeper->order_out = high < 0 ? keeper->order_out : high;
	}
	if (err)
		close(keeper->order_out);
	return err;
}

int cg_keeper_start(struct restore *r, struct cg_restore *cg)
{
	size_t size = sizeof(struct cg_keeper) + cg->groups.n * sizeof(_Atomic bool);
	struct cg_keeper *keeper = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (keeper == MAP_FAILED)
		return fail(-errno, "memory for the process that removes cgroups");
	keeper->process = HELPER_NONE;
	keeper->nr = cg->groups.n;
	keeper->size = size;
	err = start(r, cg, keeper);
	if (err) {
		munmap(keeper, size);
		return fail(err, "start the process that removes cgroups after a failure");
	}
	/* Tasks inherit it: their numbers are below. */
	if (keeper->process.pidfd < r->service_base) {
		int high = move_fd_above(keeper->process.pidfd, r->service_base);

		if (high >= 0)
			keeper->process.pidfd = high;
	}
	cg->keeper = keeper;
	return 0;
}

void cg_keeper_creating(struct cg_keeper *keeper, size_t group)
{
	atomic_store(&keeper->created[group], true);
}

void cg_keeper_not_created(struct cg_keeper *keeper, size_t group)
{
	atomic_store(&keeper->created[group], false);
}

bool cg_keeper_created(const struct cg_keeper *keeper, size_t group)
{
	return keeper && atomic_load(&keeper->created[group]);
}

void cg_keeper_freezes(struct cg_keeper *keeper, bool pending)
{
	if (keeper)
		atomic_store(&keeper->freezes, pending);
}

/* We may be a process in the tool's memory that is not its parent: it cannot be waited for, but its end can be seen. */
void cg_keeper_remove(struct cg_keeper *keeper)
{
	struct pollfd end = { .fd = keeper->process.pidfd, .events = POLLIN };

	if (write_full(keeper->order_out, "r", 1) < 0 || poll(&end, 1, REMOVE_AT_MOST_MS) <= 0)
		log_warn("the cgroups that this restore has created may not have been removed");
	close(keeper->order_out);
	helper_has_ended(&keeper->process);
	munmap(keeper, keeper->size);
}

void cg_keeper_end(struct cg_keeper *keeper)
{
	close(keeper->order_out);
	helper_kill(&keeper->process);
	munmap(keeper, keeper->size);
}
