// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore: each task enters its groups when it is created, if they are not those of its creator. Threads that are in
 * other groups than their process are moved by the tool when they exist.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/cgroup/restore.h"
#include "run/restore.h"
#include "task/ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* With the rights of the tool, which has opened them. */
static int enter_by(int procs)
{
	return pwrite(procs, "0", 1, 0) == 1 ? 0 : -errno;
}

static const char *hint(int err)
{
	switch (err) {
	case -ENOSPC:
		return " (cpuset.cpus or cpuset.mems of the group is empty)";
	case -EAGAIN:
		return " (a limit of real-time scheduling, or of pids)";
	case -EBUSY:
		return " (the group has controllers enabled for the groups below, so no process may be in it)";
	case -ENODEV:
		return " (somebody has removed the group since it was opened)";
	default:
		return "";
	}
}

static int enter_group(const struct cg_group *group)
{
	int err = group->domain >= 0 ? enter_by(group->domain) : 0;

	if (!err)
		err = enter_by(group->procs);
	return err ? fail(err, "enter the cgroup %s (%s)%s", group->path, cg_hierarchy_title(group->h), hint(err)) : 0;
}

static int enter_place(struct cg_restore *cg, const struct cg_place *to, const struct cg_place *from)
{
	int err = 0;

	for (size_t i = 0; !err && i < to->n; i++) {
		const struct cg_member *member = &to->v[i];

		if (member->path && strcmp(member->path, cg_path_in(from, member->h)))
			err = enter_group(&cg->groups.v[member->group]);
	}
	return err;
}

int cg_enter(struct restore *r, const struct restore_task *rt)
{
	struct cg_restore *cg = cg_restore_of(r);
	const struct cg_place *to, *from;

	if (!cg || rt->helper || rt->t.state == TASK_DEAD)
		return 0;
	to = cg_place_of(cg, rt->core);
	from = cg_inherited_place(cg, rt);
	return to == from ? 0 : enter_place(cg, to, from);
}

/* ---- threads ---- */

static int move_thread(const struct cg_group *group, pid_t tid)
{
	_cleanup_close_ int dir = open_at(group->h->root, cg_below_root(group->path), O_RDONLY | O_DIRECTORY, 0);
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%d", tid);
	err = dir < 0 ? dir : write_text(dir, cg_is_v2(group->h) ? "cgroup.threads" : "tasks", text);
	return err ? fail(err, "move thread %d to the cgroup %s (%s)%s", tid, group->path, cg_hierarchy_title(group->h),
			  hint(err)) :
		     0;
}

static int place_thread(struct cg_restore *cg, const struct restore_task *rt, const struct restore_thread *th)
{
	const struct cg_place *to = cg_place_of(cg, th->core), *from = cg_place_of(cg, rt->core);
	int err = 0;

	for (size_t i = 0; !err && to != from && i < to->n; i++) {
		const struct cg_member *member = &to->v[i];

		if (member->path && strcmp(member->path, cg_path_in(from, member->h)))
			err = move_thread(&cg->groups.v[member->group], th->id.host_tid);
	}
	return err;
}

int cg_enter_threads(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);
	struct restore_task *rt;
	int err = 0;

	if (!cg)
		return 0;
	restore_for_each_task(rt, r)
		for (size_t i = 1; !err && rt->t.state != TASK_DEAD && i < rt->nr_threads; i++)
			err = place_thread(cg, rt, &rt->threads[i]);
	return err;
}

/* ---- namespaces ---- */

/*
 * The root of a cgroup namespace is where its creator is. So a process enters the groups that were the root, and creates
 * it once more.
 */
int cg_enter_namespace(struct restore *r, struct ns *ns)
{
	struct cg_restore *cg = cg_restore_of(r);
	const struct cg_place *place = cg ? cg_place_of(cg, restore_task_of(ns->member)->core) : NULL;
	int fd, err = 0;

	for (size_t i = 0; !err && place && i < place->n; i++) {
		const struct cg_member *member = &place->v[i];
		const struct cg_group *root = member->path ? cg_find_group(cg, member->h, member->ns_root) : NULL;

		if (root && root->procs >= 0)
			err = enter_group(root);
	}
	if (err)
		return err;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return fail(-errno, "create a cgroup namespace");
	fd = open_at(proc_root(), "self/ns/cgroup", O_RDONLY, 0);
	if (fd < 0 || dup3(fd, ns->fd, O_CLOEXEC) < 0)
		err = fail(fd < 0 ? fd : -errno, "open the new cgroup namespace");
	if (fd >= 0)
		close(fd);
	return err;
}
