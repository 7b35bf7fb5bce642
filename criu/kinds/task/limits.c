// SPDX-License-Identifier: GPL-2.0-only
/* Resource limits, by their numbers. getrlimit(2) */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static const char *const limit_names[INSIDE_NR_RLIMITS] = {
	[RLIMIT_CPU] = "CPU",		[RLIMIT_FSIZE] = "FSIZE",
	[RLIMIT_DATA] = "DATA",		[RLIMIT_STACK] = "STACK",
	[RLIMIT_CORE] = "CORE",		[RLIMIT_RSS] = "RSS",
	[RLIMIT_NPROC] = "NPROC",	[RLIMIT_NOFILE] = "NOFILE",
	[RLIMIT_MEMLOCK] = "MEMLOCK",	[RLIMIT_AS] = "AS",
	[RLIMIT_LOCKS] = "LOCKS",	[RLIMIT_SIGPENDING] = "SIGPENDING",
	[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
	[RLIMIT_RTPRIO] = "RTPRIO",	[RLIMIT_RTTIME] = "RTTIME",
};

static int limits_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	TaskRlimitsEntry *all = dump_alloc(dump, sizeof(*all));
	RlimitEntry *e = dump_alloc(dump, INSIDE_NR_RLIMITS * sizeof(*e));

	if (!task->inside)
		return fail(-ENODATA, "limits: nobody has asked the inside");
	if (!all || !e)
		return no_memory("limits");
	task_rlimits_entry__init(all);
	all->rlimits = dump_alloc(dump, INSIDE_NR_RLIMITS * sizeof(*all->rlimits));
	if (!all->rlimits)
		return no_memory("limits");
	for (; all->n_rlimits < INSIDE_NR_RLIMITS; e++) {
		const uint64_t *in = task->inside->rlimits[all->n_rlimits];

		rlimit_entry__init(e);
		e->cur = in[0];
		e->max = in[1];
		all->rlimits[all->n_rlimits++] = e;
	}
	core->tc->rlimits = all;
	return 0;
}

static int get_limit(int nr, struct rlimit64 *ret)
{
	return syscall(SYS_prlimit64, 0, nr, NULL, ret) ? -errno : 0;
}

/* Sets both, or says who may. */
static int raise_limit(pid_t pid, int nr, const RlimitEntry *e, bool test_only)
{
	struct rlimit64 own = { 0 };
	int err = get_limit(nr, &own);

	if (err)
		return fail(err, "our own RLIMIT_%s", limit_names[nr]);
	if (own.rlim_max >= e->max)
		return 0;
	/* There is no asking for CAP_SYS_RESOURCE but trying: in a user namespace it is not enough to have it. */
	struct rlimit64 want = { own.rlim_cur, e->max };
	if (syscall(SYS_prlimit64, 0, nr, &want, NULL))
		return fail(
			-errno,
			"core-%d.img: tc.rlimits: RLIMIT_%s had the hard limit %llu, ours is %llu: raising it needs "
			"CAP_SYS_RESOURCE; or start criu with 'ulimit -H' that high",
			pid, limit_names[nr], (unsigned long long)e->max, (unsigned long long)own.rlim_max);
	if (test_only)
		syscall(SYS_prlimit64, 0, nr, &own, NULL);
	return 0;
}

static int limits_load(struct restore *r, struct restore_task *task)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;

	if (!all)
		return 0;
	if (all->n_rlimits > INSIDE_NR_RLIMITS)
		return core_refuse(task->t.pid, "tc.rlimits: %zu limits, there are %d", all->n_rlimits,
				   INSIDE_NR_RLIMITS);
	for (size_t i = 0; i < all->n_rlimits; i++) {
		const RlimitEntry *e = all->rlimits[i];

		if (e->cur > e->max)
			return core_refuse(task->t.pid, "tc.rlimits: RLIMIT_%s: cur %llu is above max %llu",
					   limit_names[i], (unsigned long long)e->cur, (unsigned long long)e->max);
		int err = raise_limit(task->t.pid, (int)i, e, true);
		if (err)
			return err;
	}
	return 0;
}

/* Memory is made under our own limits: what may be had of it is. */
static int raise_soft(int nr)
{
	struct rlimit64 own = { 0 };
	int err = get_limit(nr, &own);

	own.rlim_cur = own.rlim_max;
	if (!err && syscall(SYS_prlimit64, 0, nr, &own, NULL))
		err = -errno;
	return err ? fail(err, "raise our own RLIMIT_%s", limit_names[nr]) : 0;
}

/* Raise what needs privileges while we have them; the restorer sets the limits themselves, last. */
static int limits_apply(struct restore *r, struct restore_task *task)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;

	for (size_t i = 0; all && i < all->n_rlimits; i++) {
		int err = raise_limit(task->t.pid, (int)i, all->rlimits[i], false);
		if (!err && (i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_MEMLOCK))
			err = raise_soft((int)i);
		if (err)
			return err;
	}
	return 0;
}

static int limits_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const TaskRlimitsEntry *all = task->core->tc->rlimits;

	for (size_t i = 0; all && i < all->n_rlimits; i++) {
		wire->rlimits[i][0] = all->rlimits[i]->cur;
		wire->rlimits[i][1] = all->rlimits[i]->max;
		wire->nr_rlimits = (uint32_t)i + 1;
	}
	return 0;
}

const struct task_kind limits_kind = {
	.name = "limits",
	.save = limits_save,
	.load = limits_load,
	.apply = limits_apply,
	.hand_over = limits_hand_over,
};
