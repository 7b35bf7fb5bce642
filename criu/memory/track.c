/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracking over a dump: what is known of the tree's writes, and who keeps it until the next one. */
#include "memory/tracking.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "util/fds.h"
#include "util/log.h"

static struct tracking *tracking_of(const struct dump *dump)
{
	return dump->memory->tracking;
}

static int find_trackers(struct dump *dump)
{
	struct tracking *t = tracking_of(dump);
	int err = t->trackers_known ? 0 : trackers_find(&t->trackers);

	t->trackers_known = true;
	return err ? fail(err, "look for what keeps the tracking of writes (" TRACKER_NAME ")") : 0;
}

/* Has the process a tracker of this user, whatever its run? */
static int find_tracker(struct dump *dump, const struct dump_task *dt, struct tracker **ret_tracker,
			const struct kept **ret_kept)
{
	int err = find_trackers(dump);
	struct tracker *k;

	*ret_tracker = NULL;
	*ret_kept = NULL;
	array_for_each(k, &tracking_of(dump)->trackers) {
		const struct kept *kept = tracker_has(k, dt->t.host_pid, dt->stat.start_time);

		if (!kept || k->ended)
			continue;
		*ret_tracker = k;
		*ret_kept = kept;
	}
	return err;
}

int memory_is_tracked(struct dump *dump, const struct dump_task *dt, size_t i, bool *ret)
{
	struct tracker *tracker;
	const struct kept *kept;
	int err = 0;

	*ret = track_area_of(dt, i) != AREA_UNTRACKED;
	/* Nothing is tried on a tree that runs. */
	if (!*ret && dump_is_check(dump)) {
		err = find_tracker(dump, dt, &tracker, &kept);
		*ret = tracker != NULL;
	}
	return err;
}

const char *memory_parent_run_id(const struct dump *dump)
{
	return tracking_of(dump)->parent_run_id;
}

static int choose_backend(struct dump *dump)
{
	struct tracking *t = tracking_of(dump);

	t->backend = track_soft_dirty.probe() ? &track_soft_dirty : track_uffd.probe() ? &track_uffd : NULL;
	t->arms = dump->opts->track_mem &&
		  (dump_is_pre_dump(dump) || dump->opts->leave_running || dump->opts->leave_stopped);
	if (t->arms && dump->opts->pid == 1)
		return fail(-EOPNOTSUPP,
			    "process 1 is the init of criu's own pid namespace: what keeps the tracking of writes "
			    "(" TRACKER_NAME ") would become a part of the tree; run criu outside of the namespace");
	if (!t->backend && t->arms)
		return fail(-EOPNOTSUPP, "this kernel cannot track writes to memory: neither with soft-dirty bits "
					 "(CONFIG_MEM_SOFT_DIRTY) nor with userfaultfd and PAGEMAP_SCAN (Linux 6.7)");
	if (t->backend)
		log_debug("writes are tracked by %s", t->backend->name);
	return 0;
}

int memory_track_begin(struct dump *dump)
{
	int err;

	if (!track_is_wanted(dump))
		return 0;
	err = choose_backend(dump);
	if (!err && dump->opts->parent_dir)
		err = track_open_parent(dump);
	return err ? err : find_trackers(dump);
}

/* Its pages in the previous images, if those are of the run since which it has been tracked. */
static int load_parent(struct dump *dump, struct dump_task *dt, const struct tracker *tracker)
{
	struct tracking *t = tracking_of(dump);
	int err;

	if (!t->parent || !t->parent_run_id[0] || !tracker || strcmp(tracker->run_id, t->parent_run_id))
		return 0;
	err = track_load_parent(dump, (uint64_t)dt->t.pid, &dt->memory->track->parent);
	return err == -ENOENT ? 0 : err;
}

static int set_up(struct dump *dump, struct dump_task *dt)
{
	struct tracking *t = tracking_of(dump);
	struct tracker *tracker;
	const struct kept *kept;
	int err = find_tracker(dump, dt, &tracker, &kept);

	dt->memory->track = dump_alloc(dump, sizeof(*dt->memory->track));
	if (!dt->memory->track)
		return fail(-ENOMEM, "tracking");
	dt->memory->track->known = tracker != NULL;
	dt->memory->track->uffd = dt->memory->track->mem = -1;
	dt->memory->track->scan = PAGE_SCAN_CLOSED;
	dt->memory->track->areas = dump_alloc(dump, dt->maps.n + 1);
	if (!dt->memory->track->areas)
		return fail(-ENOMEM, "tracking");
	if (!err && tracker && kept->fd >= 0)
		dt->memory->track->uffd = tracker_get(tracker, kept);
	if (!err && t->backend)
		err = t->backend->find(dump, dt);
	return err ? err : load_parent(dump, dt, tracker);
}

static bool is_watched(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->vma_flags.n; i++)
		if (dt->vma_flags.v[i].flags & BIT(VMF_UW))
			return true;
	return false;
}

static int look_at_task(struct dump *dump, struct dump_task *dt)
{
	struct tracking *t = tracking_of(dump);

	if (!track_is_wanted(dump) && !is_watched(dt))
		return 0;
	/* A plain dump of a tree that is tracked for other images. */
	if (!t->backend)
		t->backend = track_uffd.probe() ? &track_uffd : NULL;
	return set_up(dump, dt);
}

static int track_more(struct dump *dump, struct dump_task *dt)
{
	int err = track_is_pinned(dump, dt, &dt->memory->track->must_not_arm);

	return err ? err : tracking_of(dump)->backend->extend(dump, dt);
}

static int for_each_memory(struct dump *dump, int (*fn)(struct dump *dump, struct dump_task *dt))
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && dt->mm_owner && dt->t.state != TASK_DEAD)
			err = fn(dump, dt);
	}
	return err;
}

/* What they vouch for ends with the first page that is armed again, and the first mapping that is added. Not logged. */
static int end_trackers(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		struct tracker *tracker;
		const struct kept *kept;

		do {
			tracker = NULL;
			if (!err && dt->memory->track)
				err = find_tracker(dump, dt, &tracker, &kept);
			if (!err && tracker)
				err = tracker_kill(tracker);
		} while (!err && tracker);
	}
	return err;
}

static int add_kept(const struct dump_task *dt, struct kept_array *kept, struct int_array *pidfds)
{
	struct kept k = { .pid = dt->t.host_pid, .fd = dt->memory->track->uffd, .start_time = dt->stat.start_time };

	return array_add(kept, k) || array_add(pidfds, dt->pidfd) ? -ENOMEM : 0;
}

static int start_tracker(struct dump *dump)
{
	struct int_array pidfds = { 0 };
	struct kept_array kept = { 0 };
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump)
		if (!err && dt->memory->track)
			err = add_kept(dt, &kept, &pidfds);
	if (!err)
		err = tracker_start(dump->run_id, &kept, pidfds.v, &tracking_of(dump)->own);
	array_free(&pidfds);
	array_free(&kept);
	return err ? fail(err, "start the process that keeps the tracking of writes") : 0;
}

int memory_track(struct dump *dump)
{
	int err = for_each_memory(dump, look_at_task);

	return err || !tracking_of(dump)->parent ? err : track_check_parent(dump);
}

/* From the end of the older trackers on everything is saved again if we die: the tracking ends with our descriptors. */
int memory_track_start(struct dump *dump)
{
	int err;

	if (!tracking_of(dump)->arms)
		return 0;
	err = end_trackers(dump);
	if (err)
		return fail(err, "end the tracking for the previous images");
	err = for_each_memory(dump, track_more);
	return err ? err : start_tracker(dump);
}

int memory_track_commit(struct dump *dump)
{
	struct tracking *t = tracking_of(dump);
	int err = 0;

	if (t->arms && tracker_confirm(&t->own))
		log_warn("what keeps the tracking of writes has been killed: the next dump saves all memory");
	/* The last images of this sequence: the tree is not to be slowed down any more. */
	if (!t->arms && t->parent && (dump->opts->leave_running || dump->opts->leave_stopped))
		err = end_trackers(dump);
	if (err)
		log_warn("writes of the tree are still tracked: end " TRACKER_NAME ": %s", strerror(-err));
	return 0;
}

void track_forget(struct dump_task *dt)
{
	struct task_track *t = dt->memory->track;

	if (!t)
		return;
	cleanup_close(&t->uffd);
	cleanup_close(&t->mem);
	page_scan_close(&t->scan);
	pagemap_free(steal_ptr(&t->parent));
	dt->memory->track = NULL;
}

void track_end(struct dump *dump)
{
	struct tracking *t = tracking_of(dump);

	tracker_drop(&t->own);
	trackers_free(&t->trackers);
}
