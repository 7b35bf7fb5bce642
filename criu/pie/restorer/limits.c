// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Resource limits; raised earlier where necessary. */
#include <compel/pie.h>
#include "base/bits.h"
#include "restorer.h"

int restore_limits(struct wire_task *task)
{
	for (uint32_t i = 0; i < PARASITE_NR_RLIMITS; i++) {
		if (!(task->set_rlimits & BIT(i)))
			continue;
		long err = sys_prlimit64(0, (int)i, task->rlimits[i], NULL);

		if (err < 0)
			return restorer_fail_nr(task, err, "set the limit number", i);
	}
	return 0;
}
