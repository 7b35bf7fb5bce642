// SPDX-License-Identifier: GPL-2.0-only
/* Resource limits, by number. getrlimit(2) */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/limits.h"
#include "run/restore.h"
#include "util/log.h"

static const char *const limit_names[PARASITE_NR_RLIMITS] = {
	[RLIMIT_CPU] = "CPU",		[RLIMIT_FSIZE] = "FSIZE",
	[RLIMIT_DATA] = "DATA",		[RLIMIT_STACK] = "STACK",
	[RLIMIT_CORE] = "CORE",		[RLIMIT_RSS] = "RSS",
	[RLIMIT_NPROC] = "NPROC",	[RLIMIT_NOFILE] = "NOFILE",
	[RLIMIT_MEMLOCK] = "MEMLOCK",	[RLIMIT_AS] = "AS",
	[RLIMIT_LOCKS] = "LOCKS",	[RLIMIT_SIGPENDING] = "SIGPENDING",
	[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
	[RLIMIT_RTPRIO] = "RTPRIO",	[RLIMIT_RTTIME] = "RTTIME",
};

static int get_limit(int nr, struct rlimit64 *ret)
{
	return syscall(SYS_prlimit64, 0, nr, NULL, ret) ? -errno : 0;
}

/* A restore needs a few more than the program has, and the limit of its caller may be no higher than this one. */
static void report_descriptors(const struct dump_task *task)
{
	uint64_t need = task->nr_fds ? (uint64_t)task->fds[task->nr_fds - 1].fd + 1 + RESTORE_OWN_FDS : 0;
	struct rlimit64 own = { 0 };

	if (need <= task->parasite->rlimits[RLIMIT_NOFILE][1] || get_limit(RLIMIT_NOFILE, &own) || need <= own.rlim_max)
		return;
	log_warn(
		"pid %d: has descriptors up to %llu: to restore it, the hard limit of open files (ulimit -Hn) has to be at "
		"least %llu, or criu needs CAP_SYS_RESOURCE",
		task->t.pid, (unsigned long long)need - 1 - RESTORE_OWN_FDS, (unsigned long long)need);
}

static int limits_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	TaskRlimitsEntry *all = dump_alloc(dump, sizeof(*all));
	RlimitEntry *e = dump_alloc(dump, PARASITE_NR_RLIMITS * sizeof(*e));

	if (!task->parasite)
		return fail(-ENODATA, "limits: no parasite data");
	if (!all || !e)
		return no_memory("limits");
	task_rlimits_entry__init(all);
	all->rlimits = dump_alloc(dump, PARASITE_NR_RLIMITS * sizeof(*all->rlimits));
	if (!all->rlimits)
		return no_memory("limits");
	for (; all->n_rlimits < PARASITE_NR_RLIMITS; e++) {
		const uint64_t *in = task->parasite->rlimits[all->n_rlimits];

		rlimit_entry__init(e);
		e->cur = in[0];
		e->max = in[1];
		all->rlimits[all->n_rlimits++] = e;
	}
	report_descriptors(task);
	core->tc->rlimits = all;
	return 0;
}

static int set_limit(int nr, uint64_t cur, uint64_t max)
{
	const struct rlimit64 want = { cur, max };

	return syscall(SYS_prlimit64, 0, nr, &want, NULL) ? -errno : 0;
}

/* In a task. We may have raised RLIMIT_NOFILE since for our own descriptors (restore/service_fds.c). */
static int initial_limit(struct restore *r, int nr, struct rlimit64 *ret)
{
	if (nr == RLIMIT_NOFILE && r->fd_limit_raised)
		return get_limit(nr, ret);
	*ret = r->plan.fresh_child.limits[nr];
	return 0;
}

/* The highest possible hard limit up to @want: RLIMIT_NOFILE is bounded for every user (fs.nr_open). */
static int possible_limit(struct restore *r, int nr, uint64_t want, uint64_t *ret_max)
{
	const struct rlimit64 own = r->plan.fresh_child.limits[nr];

	*ret_max = own.rlim_max >= want ? want : own.rlim_max;
	if (own.rlim_max < want && rights_may(&r->tool.rights, RIGHT_RAISE_LIMITS) &&
	    !set_limit(nr, own.rlim_cur, want)) {
		set_limit(nr, own.rlim_cur, own.rlim_max);
		*ret_max = want;
	}
	return 0;
}

/* Each limit and value is reported once, however many tasks have it. */
static int lower_limit(struct restore *r, pid_t pid, int nr, RlimitEntry *e, uint64_t max)
{
	if (r->opts->strict_limits)
		return fail(-EPERM,
			    "core-%d.img: RLIMIT_%s had the hard limit %llu, ours is %llu: raising it needs "
			    "CAP_SYS_RESOURCE; or start criu with 'ulimit -H' that high, or without --strict-limits",
			    pid, limit_names[nr], (unsigned long long)e->max, (unsigned long long)max);
	if (r->tool.limit_reported[nr] != e->max)
		log_warn("pid %d: RLIMIT_%s had the hard limit %llu and gets %llu: raising it needs CAP_SYS_RESOURCE "
			 "(--strict-limits makes this an error)",
			 pid, limit_names[nr], (unsigned long long)e->max, (unsigned long long)max);
	r->tool.limit_reported[nr] = e->max;
	e->max = max;
	e->cur = MIN_OF(e->cur, max);
	return 0;
}

static int load_limit(struct restore *r, pid_t pid, int nr, RlimitEntry *e)
{
	uint64_t max = 0;
	int err;

	if (e->cur > e->max)
		return core_refuse(pid, "tc.rlimits: RLIMIT_%s: cur %llu is above max %llu", limit_names[nr],
				   (unsigned long long)e->cur, (unsigned long long)e->max);
	err = possible_limit(r, nr, e->max, &max);
	return err || max == e->max ? err : lower_limit(r, pid, nr, e, max);
}

static int limits_load(struct restore *r, struct restore_task *task)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;
	int err = fresh_child_need(&r->plan.fresh_child, FRESH_LIMITS);

	if (!err && all && all->n_rlimits > PARASITE_NR_RLIMITS)
		return core_refuse(task->t.pid, "tc.rlimits: %zu limits, expected %d", all->n_rlimits,
				   PARASITE_NR_RLIMITS);
	for (size_t i = 0; !err && all && i < all->n_rlimits; i++)
		err = load_limit(r, task->t.pid, (int)i, all->rlimits[i]);
	return err;
}

static uint64_t highest_limit(struct restore *r, size_t nr)
{
	struct restore_task *task;
	uint64_t max = 0;

	restore_for_each_task(task, r) {
		const TaskRlimitsEntry *all = task->core && task->core->tc ? task->core->tc->rlimits : NULL;

		if (all && nr < all->n_rlimits && all->rlimits[nr]->max > max)
			max = all->rlimits[nr]->max;
	}
	return max;
}

static int limits_before_user_ns(struct restore *r)
{
	for (int nr = 0; nr < PARASITE_NR_RLIMITS; nr++) {
		struct rlimit64 *now = &r->plan.fresh_child.limits[nr], own = { 0 };
		uint64_t max = highest_limit(r, (size_t)nr);
		int err = initial_limit(r, nr, &own);

		if (!err && own.rlim_max < max)
			err = set_limit(nr, max, max);
		if (err)
			return fail(err, "raise the hard limit RLIMIT_%s from %llu to %llu", limit_names[nr],
				    (unsigned long long)own.rlim_max, (unsigned long long)max);
		if (own.rlim_max < max)
			*now = (struct rlimit64){ max, max };
	}
	return 0;
}

/*
 * Raise limits that need privileges while we have them; the restorer sets the final limits, last. Until then, no state
 * of the task is constrained by limits of ours: pending signals, messages, locked memory, the size of a file.
 */
static int limits_apply(struct restore *r, struct restore_task *task)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;

	for (size_t i = 0; all && i < all->n_rlimits; i++) {
		uint64_t max = all->rlimits[i]->max;
		struct rlimit64 own = { 0 };
		int err = initial_limit(r, (int)i, &own);

		if (!err && own.rlim_max < max)
			err = set_limit((int)i, max, max);
		if (err)
			return fail(err, "raise the hard limit RLIMIT_%s from %llu to %llu", limit_names[i],
				    (unsigned long long)own.rlim_max, (unsigned long long)max);
	}
	return 0;
}

/* Limits missing from the image remain those of our caller. */
static int limits_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;

	memcpy(wire->rlimits, r->tool.own_limits, sizeof(wire->rlimits));
	for (size_t i = 0; all && i < all->n_rlimits; i++) {
		wire->rlimits[i][0] = all->rlimits[i]->cur;
		wire->rlimits[i][1] = all->rlimits[i]->max;
	}
	for (int nr = 0; nr < PARASITE_NR_RLIMITS; nr++) {
		const struct rlimit64 *now = &r->plan.fresh_child.limits[nr];

		/* What limits_apply() has raised differs, too. */
		if ((nr == RLIMIT_NOFILE && r->fd_limit_raised) || now->rlim_cur != wire->rlimits[nr][0] ||
		    now->rlim_max != wire->rlimits[nr][1])
			wire->set_rlimits |= BIT(nr);
	}
	return 0;
}

const struct task_kind limits_kind = {
	.name = "limits",
	.save = limits_save,
	.load = limits_load,
	.before_user_ns = limits_before_user_ns,
	.apply = limits_apply,
	.hand_over = limits_hand_over,
};
