// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Memory policies: set_mempolicy(2), mbind(2). */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include "pie/restorer/core.h"

enum {
	MASK_BITS = PARASITE_MAX_NODES + 1, /* the kernel takes one off */
	MOVE = 2, /* MPOL_MF_MOVE */
	ENOSYS_NR = 38,
};

/* Set even if it is the default: the process that restores may have a different one. */
int restore_policy(struct wire_thread *thread)
{
	const struct wire_policy *p = (const struct wire_policy *)thread->policy;

	if (thread->inherited & INHERITED_MEMPOLICY)
		return 0;
	long err = p ? sys_set_mempolicy((int)p->mode, p->nodes, MASK_BITS) : sys_set_mempolicy(0, NULL, 0);

	if (!p && err == -ENOSYS_NR)
		return 0;
	return err < 0 ? restorer_fail(task_of(thread), err, "set the memory policy (set_mempolicy)") : 0;
}

/* Pages that exist already (inherited from a parent) are moved later. */
int layout_policy(struct wire_task *task, const struct wire_vma *v)
{
	const struct wire_policy *p = (const struct wire_policy *)v->policy;
	long err = p ? sys_mbind((void *)v->start, v->end - v->start, (int)p->mode, p->nodes, MASK_BITS,
				 v->staged ? MOVE : 0) :
		       0;

	return err < 0 ? restorer_fail_at(task, err, "set the memory policy (mbind) at", v->start) : 0;
}
