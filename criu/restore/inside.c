/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hooks of run kinds that act on what the tree can see: they run in its namespaces, with the memory and descriptors
 * of the tool, so that what they record and open belongs to the tool, and tasks inherit it. A tree in the tool's own
 * namespaces needs no separate process for that. (Time namespaces are left out: each task enters its own when it is
 * created.)
 */
#include "restore/restore.h"
#include "run/restore.h"
#include "run/user_ns.h"

struct inside {
	struct restore *r;
	int (*fn)(struct restore *);
};

static int call(void *arg)
{
	const struct inside *inside = arg;

	return inside->fn(inside->r);
}

static int run_inside(struct restore *r, int (*fn)(struct restore *))
{
	struct inside inside = { r, fn };

	if (!r->tool.nr_inside)
		return fn(r);
	return restore_run_in(r->tool.inside, r->tool.nr_inside, 0, call, &inside);
}

static int make_all(struct restore *r)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->in_namespaces)
			err = kind->in_namespaces(r);
	return err;
}

static int call_committed(struct restore *r)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->committed)
			kind->committed(r);
	return 0;
}

static int call_failed(struct restore *r)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->failed)
			kind->failed(r);
	return 0;
}

int restore_make_inside(struct restore *r)
{
	return run_inside(r, make_all);
}

void restore_report_committed(struct restore *r)
{
	run_inside(r, call_committed);
}

void restore_report_failed(struct restore *r)
{
	const struct run_kind *kind;

	run_inside(r, call_failed);
	run_for_each_kind(kind)
		if (kind->failed_outside)
			kind->failed_outside(r);
}
