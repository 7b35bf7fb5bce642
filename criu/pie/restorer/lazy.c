/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * Mappings whose pages are supplied when they are first accessed: userfaultfd(2). When their layout is final, as each
 * change would be reported. The daemon has the descriptor already.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include "pie/restorer/core.h"

int lazy_register(struct wire_task *task)
{
	const struct wire_vma *v = (void *)task->vmas, *end = v + task->nr_vmas;

	if (!task->has_uffd)
		return 0;
	for (; v < end; v++) {
		struct uffdio_register reg;
		long err;

		if (!v->lazy)
			continue;
		reg.range.start = v->start;
		reg.range.len = v->end - v->start;
		reg.mode = UFFDIO_REGISTER_MODE_MISSING;
		err = sys_ioctl(task->uffd, UFFDIO_REGISTER, (long)&reg);
		if (err)
			return restorer_fail_at(task, err, "register for lazy pages", v->start);
	}
	return 0;
}
