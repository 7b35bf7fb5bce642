// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump: the roots of the tree's cgroup namespaces. Only the difference between a path as the tool sees it and as it is
 * seen in the namespace shows them. cgroup_namespaces(7)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel/ns_run.h"
#include "kinds/ns/cgroup/internal.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

struct reading {
	struct dump *dump;
	struct ns *ns;
	char **roots; /* one per hierarchy, in the order of the text; NULL: not known yet */
};

/* @outer is the same path outside. "": the root of the hierarchy. */
static int find_root(struct reading *rd, size_t i, const char *outer, const char *inner)
{
	size_t len = strlen(outer), tail = inner[1] ? strlen(inner) : 0;

	if (rd->roots[i] || str_has_prefix(inner, "/.."))
		return 0;
	if (tail > len || strcmp(outer + len - tail, tail ? inner : ""))
		return -EBADMSG;
	rd->roots[i] = dump_printf(rd->dump, "%.*s", (int)(len - tail), outer);
	if (rd->roots[i] && !strcmp(rd->roots[i], "/"))
		rd->roots[i] = "";
	return rd->roots[i] ? 0 : -ENOMEM;
}

static int read_member(struct reading *rd, const struct dump_task *member)
{
	const struct cg_hierarchies *outer = cg_dump_of(rd->dump)->sets.v[member->threads[0].cgroup_set - 1].at;
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_hierarchies inner = { 0 };
	char path[48];
	int err;

	snprintf(path, sizeof(path), "task/%d/cgroup", member->threads[0].id.host_tid);
	err = read_file(member->proc.dir, path, &text);
	if (!err)
		err = cg_hierarchies_parse(text.data ?: "", text.len, &rd->dump->arena, &inner);
	for (size_t i = 0; !err && i < outer->n && i < inner.n; i++)
		err = find_root(rd, i, outer->v[i].path, inner.v[i].path);
	return err;
}

/* In the namespace. */
static int read_inside(void *arg)
{
	struct reading *rd = arg;
	struct cg_dump *cg = cg_dump_of(rd->dump);
	int err = 0;

	for (size_t i = 1; !err && i < cg->sets.n; i++)
		if (cg->sets.v[i].ns == rd->ns)
			err = read_member(rd, cg->sets.v[i].member);
	return err;
}

static void check_inside(struct dump *dump, struct ns *ns)
{
	struct cg_dump *cg = cg_dump_of(dump);
	char **roots = ns->data;

	for (size_t s = 1; s < cg->sets.n; s++) {
		const struct cg_set *set = &cg->sets.v[s];

		if (set->ns != ns)
			continue;
		for (size_t i = 0; i < set->at->n; i++)
			if (!roots[i] || (*roots[i] && !cg_is_below(set->at->v[i].path, roots[i])))
				dump_blocker(
					dump, set->member, -1,
					"is in the cgroup %s (%s), outside of the root of its cgroup namespace, which is not supported; move it below that root, or use --manage-cgroups=ignore",
					set->at->v[i].path, cg_hierarchy_title(&set->at->v[i]));
	}
}

static int find_roots_of(struct dump *dump, struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	struct reading rd = { dump, ns, dump_alloc(dump, (cg_dump_of(dump)->own.n + 1) * sizeof(char *)) };
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/cgroup");
	int result = 0, err = !rd.roots ? -ENOMEM : fd < 0 ? fd : ns_run_in(&fd, 1, read_inside, &rd, &result);

	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT || result == -ESRCH || result == -ENOENT))
		return 0;
	if (err || result)
		return fail(err ?: result, "read the cgroups of process %d in its cgroup namespace",
			    member->t.host_pid);
	ns->data = rd.roots;
	check_inside(dump, ns);
	return 0;
}

int cg_find_ns_roots(struct dump *dump)
{
	struct ns *ns;
	int err = 0;

	if (cg_mode(dump->opts) == CGROUP_MODE_IGNORE || !cg_dump_of(dump))
		return 0;
	ns_for_each(ns, &dump->namespaces, NS_CGROUP)
		if (!err && !ns->own)
			err = find_roots_of(dump, ns);
	return err;
}
