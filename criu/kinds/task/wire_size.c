// SPDX-License-Identifier: GPL-2.0-only
/* How much room the task kinds' hand_over takes in the restorer's region. */
#include "kinds/kinds.h"
#include "pie/wire.h"
#include "run/restore.h"

enum {
	PER_THREAD = 2048, /* mask of CPUs, rounding */
	PER_SIGNAL = 128,
	FILTERS_MAX = 512 << 10, /* instructions and list of the longest chain that a kernel takes */
};

static size_t queue_size(const SignalQueueEntry *q)
{
	return q ? q->n_signals * PER_SIGNAL : 0;
}

size_t task_wire_size(const struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;
	size_t size = 0;

	if (tc)
		size += queue_size(tc->signals_s);
	if (tc && tc->timers)
		size += tc->timers->n_posix * sizeof(struct wire_posix_timer);
	for (size_t i = 0; i < task->nr_threads; i++) {
		const ThreadCoreEntry *tce = task->threads[i].core->thread_core;

		size += PER_THREAD;
		if (!tce)
			continue;
		size += queue_size(tce->signals_p);
		size += tce->creds ? tce->creds->n_groups * sizeof(uint32_t) : 0;
		size += tce->has_seccomp_filter ? FILTERS_MAX : 0;
	}
	return size;
}
