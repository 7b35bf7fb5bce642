/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* Tasks that share one memory wait for each other. One that shares it with none does not wait. */
#include <asm-generic/errno.h>
#include <compel/pie.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include "pie/restorer/core.h"

/* The tool kills us all when one of us fails, unless it has died itself. */
static bool given_up(struct wire_task *task)
{
	return atomic_load((_Atomic int32_t *)task->shared_failed) ||
	       (atomic_load((_Atomic uint32_t *)task->tool) & FUTEX_OWNER_DIED);
}

int group_meet(struct wire_task *task, uint32_t nr)
{
	const struct {
		int64_t sec, nsec;
	} bound = { 0, 200000000 };
	struct wire_group *group = (void *)task->group;
	uint32_t all = nr * group->members, now = atomic_fetch_add(&group->arrived, 1) + 1;

	if (now == all && group->members > 1)
		sys_futex((void *)&group->arrived, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
	while ((now = atomic_load(&group->arrived)) < all)
		if (sys_futex((void *)&group->arrived, FUTEX_WAIT, now, &bound, NULL, 0) == -ETIMEDOUT &&
		    given_up(task))
			return -ECANCELED;
	return 0;
}
