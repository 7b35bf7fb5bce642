// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Filters of a thread, the oldest first. */
#include <compel/pie.h>
#include "restorer.h"

enum { SET_MODE_STRICT, SET_MODE_FILTER, MODE_STRICT = 1, MODE_FILTER = 2 };

int seccomp_install(struct wire_thread *thread)
{
	struct wire_seccomp_filter *f = (struct wire_seccomp_filter *)thread->filters;
	long err = 0;

	if (thread->seccomp_mode == MODE_FILTER) {
		for (uint32_t i = 0; i < thread->nr_filters && err >= 0; i++, f++)
			err = sys_seccomp(SET_MODE_FILTER, f->flags, f);
	} else if (thread->seccomp_mode == MODE_STRICT) {
		err = sys_seccomp(SET_MODE_STRICT, 0, NULL);
	}
	return err < 0 ? restorer_fail(task_of(thread), err, "install the seccomp filters") : 0;
}
