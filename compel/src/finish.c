// SPDX-License-Identifier: LGPL-2.1-only
/* The last step of a restore: out of the memory that a thread runs in, and on as its program. */
#include <sys/syscall.h>

#include "ctl.h"

int compel_finish(pid_t tid, const struct compel_thread_state *after, uint64_t start, uint64_t len)
{
	const struct cure keep = { .mode = CURE_KEEP };
	const unsigned long args[6] = { start, len };
	struct compel_ctl *ctl;
	long ret = 0;
	int err = ctl_open(tid, after, &ctl), e;

	if (err)
		return err;
	/* From the moment the thread is borrowed, dying makes it do the rest by itself. */
	ctl->main.cure = (struct cure){ CURE_UNMAP_NOW, start, len };
	err = thread_borrow(ctl, &ctl->main);
	if (!err)
		err = thread_call(ctl, &ctl->main, &(struct injected_call){ SYS_munmap, args, &keep }, &ret);
	if (!err && ret < 0)
		err = ctl_set_error(NULL, (int)ret, "cannot unmap %#lx", (unsigned long)start);
	e = compel_cure(ctl);
	return err ? err : e;
}
