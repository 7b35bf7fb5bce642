// SPDX-License-Identifier: GPL-2.0-only
/* Dump: which threads are in the same groups. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kinds/kinds.h"
#include "kinds/ns/cgroup/cgroup.h"
#include "kmem/threads.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static void free_sets(void *p)
{
	struct cg_dump *cg = p;

	cg_hierarchies_close(&cg->own);
	array_free(&cg->sets);
	hash_free(&cg->by_text);
}

static int add_set(struct dump *dump, struct cg_dump *cg, const struct cg_set *like, struct cg_set **ret)
{
	struct cg_set *set = array_push(&cg->sets);
	int err;

	if (!set)
		return -ENOMEM;
	*set = *like;
	set->text = dump_alloc(dump, like->len + 1);
	if (!set->text)
		return -ENOMEM;
	memcpy(set->text, like->text, like->len);
	err = cg_hierarchies_parse(set->text, set->len, &dump->arena, &set->at);
	*ret = set;
	return err;
}

static uint64_t key_of(const struct cg_set *set)
{
	return hash_mix(hash_bytes(set->text, set->len) ^ (uintptr_t)set->ns);
}

static bool is_same(const struct cg_set *a, const struct cg_set *b)
{
	return a->ns == b->ns && a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* The id of the set with this text and namespace, which may be new. */
static int set_id(struct dump *dump, struct cg_dump *cg, const struct cg_set *wanted, uint32_t *ret_id)
{
	struct cg_set *set = NULL;
	bool fresh;
	uint64_t *slot;
	int err;

	if (cg->sets.n && cg->sets.v[0].len == wanted->len && !memcmp(cg->sets.v[0].text, wanted->text, wanted->len) &&
	    (!wanted->ns || wanted->ns->own)) {
		*ret_id = CG_SET_OWN;
		return 0;
	}
	slot = hash_slot_of(&cg->by_text, key_of(wanted), &fresh);
	if (!slot)
		return -ENOMEM;
	if (!fresh && is_same(&cg->sets.v[*slot - 1], wanted)) {
		*ret_id = (uint32_t)*slot;
		return 0;
	}
	err = add_set(dump, cg, wanted, &set);
	if (err)
		return err;
	*ret_id = (uint32_t)cg->sets.n;
	if (fresh)
		*slot = *ret_id;
	return 0;
}

/* A kernel may be built without cgroups: then there is one empty set. */
static int read_own(struct dump *dump, struct cg_dump *cg)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_set *set, own = { 0 };
	int err = read_file(proc_root(), "self/cgroup", &text);

	if (err && err != -ENOENT)
		return fail(err, "read /proc/self/cgroup");
	own.text = text.data ?: "";
	own.len = text.len;
	err = add_set(dump, cg, &own, &set);
	if (!err)
		err = cg_hierarchies_parse(own.text, own.len, &dump->arena, &cg->own);
	return err ? fail(err, "parse self/cgroup in /proc") : 0;
}

struct cg_dump *cg_dump_of(struct dump *dump)
{
	return *dump_kind_data(dump, &cgroup_kind);
}

static struct cg_dump *start(struct dump *dump)
{
	struct cg_dump *cg = cg_dump_of(dump);

	if (cg)
		return cg;
	cg = dump_alloc(dump, sizeof(*cg));
	if (!cg || arena_defer(&dump->arena, free_sets, cg)) {
		fail(-ENOMEM, "cgroups");
		return NULL;
	}
	*dump_kind_data(dump, &cgroup_kind) = cg;
	return read_own(dump, cg) ? NULL : cg;
}

/* A thread whose process is in a group below, or in none of the tool's namespace, is outside of the root: "/..". */
static void check_visible(struct dump *dump, const struct dump_task *task, const struct cg_set *set)
{
	for (size_t i = 0; i < set->at.n; i++)
		if (str_has_prefix(set->at.v[i].path, "/..") && cg_mode(dump->opts) != CGROUP_MODE_IGNORE)
			dump_blocker(
				dump, task, -1,
				"is in a cgroup outside of the tool's cgroup namespace (%s: %s): run the tool in an outer one, or use --manage-cgroups=ignore",
				cg_hierarchy_title(&set->at.v[i]), set->at.v[i].path);
}

static int read_set(struct dump *dump, struct cg_dump *cg, struct dump_task *task, struct dump_thread *th)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_set wanted = { .ns = task->ns[NS_CGROUP], .member = task };
	size_t known = cg->sets.n;
	char path[48] = "cgroup";
	int err;

	if (th->id.host_tid != task->t.host_pid)
		snprintf(path, sizeof(path), "task/%d/cgroup", th->id.host_tid);
	err = proc_record(&task->proc, path, &text);
	th->cgroup_set = CG_SET_OWN;
	if (err == -ENOENT || (dump_is_check(dump) && err == -ESRCH))
		return 0;
	if (err)
		return fail(err, "read /proc/%d/task/%d/cgroup", task->t.host_pid, th->id.host_tid);
	wanted.text = text.data ?: "";
	wanted.len = text.len;
	err = set_id(dump, cg, &wanted, &th->cgroup_set);
	if (err)
		return fail(err, "parse /proc/%d/task/%d/cgroup", task->t.host_pid, th->id.host_tid);
	if (cg->sets.n != known)
		check_visible(dump, task, &cg->sets.v[cg->sets.n - 1]);
	return 0;
}

/* Processes and threads with the same set in kernel memory are not read again. */
static int find_set(struct dump *dump, struct cg_dump *cg, struct dump_task *task, struct dump_thread *th)
{
	uint64_t kernel = th->kernel						     ? th->kernel->cgroups :
			  th == task->threads && task->kernel && !task->leader_ended ? task->kernel->cgroups :
										       0;
	int err;

	if (kernel && kernel == cg->kernel_set && task->ns[NS_CGROUP] == cg->kernel_ns) {
		th->cgroup_set = cg->kernel_id;
		return 0;
	}
	err = read_set(dump, cg, task, th);
	if (!err && kernel) {
		cg->kernel_set = kernel;
		cg->kernel_ns = task->ns[NS_CGROUP];
		cg->kernel_id = th->cgroup_set;
	}
	return err;
}

int cg_find_sets(struct dump *dump, struct dump_task *task)
{
	struct cg_dump *cg = start(dump);
	int err = cg ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < task->nr_threads; i++)
		err = strchr("ZX", task->threads[i].stat.state) ? 0 : find_set(dump, cg, task, &task->threads[i]);
	return err;
}
