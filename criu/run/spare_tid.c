/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/spare_tid.h"
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define SPREAD 256

static pid_t largest(pid_t so_far, const struct ns *ns, const pid_t *inner)
{
	for (unsigned i = 0; ns && inner && i < ns->depth; i++)
		so_far = MAX_OF(so_far, inner[i]);
	return so_far;
}

static pid_t largest_of_tree(const struct restore *r)
{
	struct restore_task *rt;
	pid_t last = 0;

	restore_for_each_task(rt, r) {
		const struct ns *ns = rt->t.pid_ns;

		last = MAX_OF(last, MAX_OF(rt->t.pid, MAX_OF(rt->t.sid, rt->t.pgid)));
		last = largest(largest(largest(last, ns, rt->t.inner_pid), ns, rt->t.inner_pgid), ns, rt->t.inner_sid);
		for (size_t i = 0; i < rt->nr_threads; i++)
			last = MAX_OF(largest(last, ns, rt->threads[i].id.inner), rt->threads[i].id.tid);
	}
	return last;
}

/*
 * In a pid namespace that we enter it may be less, and then there are no such numbers. In those that we create it is not. 0: unknown.
 */
static int64_t read_pid_max(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	return read_file(proc_root(), "sys/kernel/pid_max", &text) || !text.len ? 0 : strtoll(text.data, NULL, 10);
}

void restore_link_spare_tids(struct restore *r)
{
	const int64_t last = read_pid_max() - 1, used = largest_of_tree(r) + (int64_t)r->plan.nr_helpers;

	r->plan.last_spare_tid = (pid_t)MAX_OF(last, 0);
	r->plan.nr_spare_tids = (pid_t)MAX_OF(last - used, 0);
}

pid_t restore_spare_tid(const struct restore *r, const struct restore_task *rt, unsigned which)
{
	const struct restore_plan *plan = &r->plan;
	/* Several restores at once should not all start with the same one. */
	const uint64_t first = (uint64_t)plan->tree.root->pid % SPREAD;
	const uint64_t n = first + which * (uint64_t)plan->tree.nr_tasks + rt->t.index;

	return plan->nr_spare_tids ? plan->last_spare_tid - (pid_t)(n % (uint64_t)plan->nr_spare_tids) : 0;
}
