// SPDX-License-Identifier: GPL-2.0-only
/* Dump: which threads are in the same groups. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/kinds.h"
#include "kinds/ns/cgroup/internal.h"
#include "kinds/ns/cgroup/properties.h"
#include "kmem/threads.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static void free_sets(void *p)
{
	struct cg_dump *cg = p;

	cg_hierarchies_close(&cg->own);
	array_free(&cg->texts);
	array_free(&cg->sets);
	hash_free(&cg->by_text);
	hash_free(&cg->by_groups);
}

static int add_text(struct dump *dump, struct cg_dump *cg, const struct buf *text)
{
	struct cg_text *added = array_push(&cg->texts);

	if (!added)
		return -ENOMEM;
	added->text = dump_alloc(dump, text->len + 1);
	if (!added->text)
		return -ENOMEM;
	if (text->len)
		memcpy(added->text, text->data, text->len);
	added->len = text->len;
	return cg_hierarchies_parse(added->text, added->len, &dump->arena, &added->at);
}

static bool has_text(const struct cg_text *a, const struct buf *text)
{
	return a->len == text->len && (!a->len || !memcmp(a->text, text->data, a->len));
}

/* The number of this text, which may be new; 1 is the tool's own. */
static int text_number(struct dump *dump, struct cg_dump *cg, const struct buf *text, uint32_t *ret)
{
	bool fresh;
	uint64_t *slot;
	int err;

	if (has_text(&cg->texts.v[0], text)) {
		*ret = 1;
		return 0;
	}
	slot = hash_slot_of(&cg->by_text, hash_bytes(text->data, text->len), &fresh);
	if (!slot)
		return -ENOMEM;
	if (!fresh && has_text(&cg->texts.v[*slot - 1], text)) {
		*ret = (uint32_t)*slot;
		return 0;
	}
	err = add_text(dump, cg, text);
	if (!err)
		*ret = (uint32_t)cg->texts.n;
	if (!err && fresh)
		*slot = *ret;
	return err;
}

/* ---- the tool's own ---- */

/* A kernel may be built without cgroups: then the text is empty. */
static int read_own(struct dump *dump, struct cg_dump *cg)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_set own = { .text = 1 };
	int err = read_file(proc_root(), "self/cgroup", &text);

	if (err && err != -ENOENT)
		return fail(err, "read self/cgroup in /proc");
	err = add_text(dump, cg, &text);
	if (!err)
		err = array_add(&cg->sets, own);
	if (!err)
		err = cg_hierarchies_parse(text.data ?: "", text.len, &dump->arena, &cg->own);
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

/* ---- groups of threads ---- */

/* The group, or one above it. */
static bool is_frozen(const struct cg_hierarchy *h, const char *path)
{
	char above[4096];

	if (strlen(path) >= sizeof(above))
		return false;
	strcpy(above, path);
	for (char *end; above[0] && above[1]; *end = 0) {
		_cleanup_close_ int dir = open_at(h->root, cg_below_root(above), O_RDONLY | O_DIRECTORY, 0);
		_cleanup_buf_ struct buf state = { 0 };

		if (dir >= 0 && !cg_read_property(dir, "cgroup.freeze", &state) && !strcmp(state.data, "1"))
			return true;
		end = strrchr(above, '/');
	}
	return false;
}

/* In version 1 they would not even have been stopped. */
static int check_thawed(struct dump *dump, const struct dump_task *task, struct cg_dump *cg)
{
	const struct cg_text *text = &cg->texts.v[cg->texts.n - 1];
	const struct cg_hierarchy *at = cg_hierarchy_find(&text->at, "");
	struct cg_hierarchy *h = cg_hierarchy_find(&cg->own, "");

	/* We are not frozen. */
	if (dump_is_check(dump) || !at || !h || !strcmp(at->path, h->path) || str_has_prefix(at->path, "/.."))
		return 0;
	if (cg_hierarchy_find_open(&cg->own, h, dump->opts)) {
		log_info("the cgroup %s is not accessible: a frozen process would not be noticed", at->path);
		return 0;
	}
	if (!is_frozen(h, at->path))
		return 0;
	return fail(
		-EBUSY,
		"process %d is in a frozen cgroup (%s): thaw it, or give --freeze-cgroup with the directory of the frozen group",
		task->t.host_pid, at->path);
}

static int read_thread(struct dump *dump, struct cg_dump *cg, struct dump_task *task, struct dump_thread *th)
{
	_cleanup_buf_ struct buf text = { 0 };
	size_t known = cg->texts.n;
	char path[48] = "cgroup";
	int err;

	if (th->id.host_tid != task->t.host_pid || task->leader_ended)
		snprintf(path, sizeof(path), "task/%d/cgroup", th->id.host_tid);
	err = proc_record(&task->proc, path, &text);
	th->cgroup_text = 1;
	/* It has exited, or the kernel has no cgroups. */
	if (err == -ENOENT || err == -ESRCH)
		return 0;
	if (err)
		return fail(err, "read /proc/%d/task/%d/cgroup", task->t.host_pid, th->id.host_tid);
	err = text_number(dump, cg, &text, &th->cgroup_text);
	if (err)
		return fail(err, "parse /proc/%d/task/%d/cgroup", task->t.host_pid, th->id.host_tid);
	return cg->texts.n != known ? check_thawed(dump, task, cg) : 0;
}

/* The address of its groups in the kernel; 0: unknown. */
static uint64_t kernel_groups(const struct dump_task *task, const struct dump_thread *th)
{
	if (th->kernel)
		return th->kernel->cgroups;
	return th == task->threads && task->kernel && !task->leader_ended ? task->kernel->cgroups : 0;
}

/* Threads with the same groups in kernel memory are not read again. */
static int find_text(struct dump *dump, struct cg_dump *cg, struct dump_task *task, struct dump_thread *th)
{
	uint64_t kernel = kernel_groups(task, th);
	int err;

	if (kernel && kernel == cg->kernel_set) {
		th->cgroup_text = cg->kernel_text;
		return 0;
	}
	err = read_thread(dump, cg, task, th);
	if (!err && kernel) {
		cg->kernel_set = kernel;
		cg->kernel_text = th->cgroup_text;
	}
	return err;
}

int cg_read_task(struct dump *dump, struct dump_task *task)
{
	struct cg_dump *cg = start(dump);
	int err = cg ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < task->nr_threads; i++)
		err = find_text(dump, cg, task, &task->threads[i]);
	return err;
}

/* ---- sets ---- */

static void check_visible(struct dump *dump, const struct cg_set *set)
{
	for (size_t i = 0; i < set->at->n; i++)
		if (str_has_prefix(set->at->v[i].path, "/..") && cg_mode(dump->opts) != CGROUP_MODE_IGNORE)
			dump_blocker(
				dump, set->member, -1,
				"is in a cgroup outside of the tool's cgroup namespace (%s: %s): run the tool in an outer one, or use --manage-cgroups=ignore",
				cg_hierarchy_title(&set->at->v[i]), set->at->v[i].path);
}

static int set_id(struct dump *dump, struct cg_dump *cg, const struct cg_set *wanted, uint32_t *ret_id)
{
	bool fresh;
	uint64_t *slot;
	int err;

	*ret_id = CG_SET_OWN;
	if (wanted->text == 1 && (!wanted->ns || wanted->ns->own))
		return 0;
	slot = hash_slot_of(&cg->by_groups, (uintptr_t)wanted->ns ^ hash_mix(wanted->text), &fresh);
	if (!slot)
		return -ENOMEM;
	if (!fresh && cg->sets.v[*slot - 1].ns == wanted->ns && cg->sets.v[*slot - 1].text == wanted->text) {
		*ret_id = (uint32_t)*slot;
		return 0;
	}
	err = array_add(&cg->sets, *wanted);
	if (err)
		return err;
	*ret_id = (uint32_t)cg->sets.n;
	if (fresh)
		*slot = *ret_id;
	check_visible(dump, &cg->sets.v[cg->sets.n - 1]);
	return 0;
}

int cg_find_sets(struct dump *dump, struct dump_task *task)
{
	int err = dump_is_check(dump) ? cg_read_task(dump, task) : 0;
	struct cg_dump *cg = cg_dump_of(dump);

	for (size_t i = 0; !err && i < task->nr_threads; i++) {
		struct dump_thread *th = &task->threads[i];
		struct cg_set wanted = { .text = th->cgroup_text ?: 1, .ns = task->ns[NS_CGROUP], .member = task };

		wanted.at = &cg->texts.v[wanted.text - 1].at;
		err = set_id(dump, cg, &wanted, &th->cgroup_set);
		if (err)
			fail(err, "cgroups");
	}
	return err;
}
