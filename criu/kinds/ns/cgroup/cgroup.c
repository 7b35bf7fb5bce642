// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control groups, of both versions: which ones each thread is in, their properties, and cgroup namespaces.
 * --manage-cgroups says what a restore does with groups that are missing, or that exist already. cgroups(7)
 *
 *	dump:     sets.c (threads) -> namespaces.c (roots of namespaces) -> groups.c (groups, properties.c) -> save.c
 *	restore:  load.c (plan; roots.c: --cgroup-root) -> make.c (groups; keeper.c removes them after a failure)
 *	          -> enter.c -> make.c (limits), existing.c
 */
#include "base/bits.h"
#include "kinds/kinds.h"
#include "kinds/ns/cgroup/keeper.h"
#include "kinds/ns/cgroup/restore.h"
#include "kinds/ns/cgroup/save.h"
#include "run/dump.h"
#include "run/restore.h"

static int cgroup_stopped(struct dump *dump, struct dump_task *task)
{
	return cg_read_task(dump, task);
}

static int cgroup_survey(struct dump *dump, struct dump_task *task)
{
	return cg_find_sets(dump, task);
}

static int cgroup_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *th, CoreEntry *core)
{
	core->thread_core->has_cg_set = 1;
	core->thread_core->cg_set = th->cgroup_set ?: CG_SET_OWN;
	return 0;
}

const struct task_kind cgroup_kind = {
	.name = "cgroup",
	.stopped = cgroup_stopped,
	.survey = cgroup_survey,
	.save_thread = cgroup_save_thread,
};

/* Every task is in its place, and none runs yet. */
static int cgroup_ready(struct restore *r)
{
	int err = cg_enter_threads(r);

	return err ? err : cg_set_properties(r);
}

static int cgroup_before_commit(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);
	int err = cg_set_existing(r);

	if (err)
		cg_undo_properties(cg);
	else if (cg)
		cg_keeper_freezes(cg->keeper, true);
	return err;
}

static void cgroup_complete(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);

	if (!cg)
		return;
	cg_freeze(cg);
	cg_keeper_freezes(cg->keeper, false);
}

/* Waiting for the keeper would delay the tree. */
static void cgroup_running(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);

	if (!cg || !cg->keeper)
		return;
	cg_keeper_end(cg->keeper);
	cg->keeper = NULL;
}

static void cgroup_failed(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);

	if (!cg)
		return;
	cg_undo_properties(cg);
	if (cg->keeper)
		cg_keeper_remove(cg->keeper);
	cg->keeper = NULL;
}

const struct run_kind cgroup_run = {
	.name = "cgroup",
	.namespaces = BIT(NS_CGROUP),
	.survey = cg_find_ns_roots,
	.save = cg_save,
	.link = cg_link,
	.prepare = cg_make,
	.fill_namespace = cg_enter_namespace,
	.at_birth = cg_enter,
	.ready = cgroup_ready,
	.before_commit = cgroup_before_commit,
	.complete = cgroup_complete,
	.running = cgroup_running,
	.failed = cgroup_failed,
};
