/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/spare_tid.h"
#include "base/bits.h"

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

pid_t restore_spare_tid(const struct restore *r, const struct restore_task *rt, unsigned which)
{
	return largest_of_tree(r) + (pid_t)(r->plan.nr_helpers + 1 + which * r->plan.tree.nr_tasks + rt->t.index);
}
