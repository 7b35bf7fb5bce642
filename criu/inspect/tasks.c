// SPDX-License-Identifier: GPL-2.0-only
/* The tree: which tasks there are, and what each of them is. */
#include "inspect/tasks.h"
#include <errno.h>
#include <stdlib.h>
#include "inspect/records.h"
#include "task/tree.h"

static enum shown_state state_of(uint32_t number)
{
	switch (number > TASK_LEADER_ENDED ? number - TASK_LEADER_ENDED : number) {
	case TASK_ALIVE:
		return SHOWN_RUNNING;
	case TASK_DEAD:
		return SHOWN_ZOMBIE;
	case TASK_STOPPED:
		return SHOWN_STOPPED;
	default:
		return SHOWN_UNKNOWN;
	}
}

static int read_threads(struct contents *c, struct shown_task *t, const PstreeEntry *e)
{
	t->threads = arena_alloc(&c->arena, (e->n_threads + 1) * sizeof(*t->threads));
	if (!t->threads)
		return -ENOMEM;
	/* Of zombies, 4.2 writes numbers that mean nothing. */
	for (size_t i = 0; t->state != SHOWN_ZOMBIE && i < e->n_threads; i++) {
		struct shown_thread *th = &t->threads[t->nr_threads++];
		const CoreEntry *core = t->core;
		int err = 0;

		th->tid = (pid_t)e->threads[i];
		if (th->tid != t->pid) {
			core = NULL;
			err = contents_record(c, IMAGE_CORE, e->threads[i], MUST_EXIST, &core);
		}
		if (err)
			return err;
		th->comm = core && core->thread_core && core->thread_core->comm ? core->thread_core->comm : t->comm;
	}
	return 0;
}

static int read_core(struct contents *c, struct shown_task *t)
{
	int err = contents_record(c, IMAGE_CORE, (uint64_t)t->pid, MUST_EXIST, &t->core);
	const TaskCoreEntry *tc = t->core ? t->core->tc : NULL;
	const ThreadCoreEntry *thread = t->core ? t->core->thread_core : NULL;

	t->comm = tc ? tc->comm : "?";
	if (tc) {
		t->state_number = tc->task_state;
		t->state = state_of(tc->task_state);
	}
	t->ids = t->core ? t->core->ids : NULL;
	if (thread && thread->creds) {
		t->has_uid = true;
		t->uid = thread->creds->euid;
	}
	if (!err && !t->ids && t->core && t->state != SHOWN_ZOMBIE)
		err = contents_record(c, IMAGE_IDS, (uint64_t)t->pid, MAY_BE_MISSING, &t->ids);
	return err;
}

static int add_task(struct contents *c, const PstreeEntry *e)
{
	struct shown_task *t = &c->tasks[c->nr_tasks++];
	bool fresh;
	uint64_t *slot = hash_slot_of(&c->task_by_pid, e->pid, &fresh);
	int err;

	if (!slot)
		return -ENOMEM;
	t->pid = (pid_t)e->pid;
	t->ppid = (pid_t)e->ppid;
	t->pgid = (pid_t)e->pgid;
	t->sid = (pid_t)e->sid;
	if (!fresh) {
		c->nr_tasks--;
		return contents_problem(c, "pstree.img: duplicate pid %u", e->pid);
	}
	/* Only those that come before it: so there are no cycles. */
	t->parent = hash_get_ptr(&c->task_by_pid, e->ppid);
	*slot = (uintptr_t)t;
	err = read_core(c, t);
	return err ? err : read_threads(c, t, e);
}

static void add_child(struct shown_task *t)
{
	struct shown_task *parent = t->parent;

	t->depth = parent->depth + 1;
	if (parent->last_child)
		parent->last_child->next = t;
	else
		parent->first_child = t;
	parent->last_child = t;
}

/* The next one in depth-first order, below @top. */
static struct shown_task *next_below(struct shown_task *t, const struct shown_task *top)
{
	if (t->first_child)
		return t->first_child;
	while (t != top && !t->next)
		t = t->parent;
	return t == top ? NULL : t->next;
}

static void put_in_order(struct contents *c)
{
	struct shown_task **end = &c->first;

	for (size_t i = 0; i < c->nr_tasks; i++)
		if (c->tasks[i].parent)
			add_child(&c->tasks[i]);
	for (size_t i = 0; i < c->nr_tasks; i++) {
		struct shown_task *top = &c->tasks[i];

		for (struct shown_task *t = top->parent ? NULL : top; t; t = next_below(t, top)) {
			*end = t;
			end = &t->following;
		}
	}
}

/* The first task with an id has what it stands for. */
static int find_owner(struct hash *owners, uint32_t id, pid_t pid, pid_t *ret_owner)
{
	bool fresh;
	uint64_t *slot = hash_slot_of(owners, id, &fresh);

	if (!slot)
		return -ENOMEM;
	if (fresh)
		*slot = (uint64_t)pid;
	*ret_owner = fresh ? 0 : (pid_t)*slot;
	return 0;
}

static int find_sharing(struct contents *c)
{
	_cleanup_hash_ struct hash memory = { 0 }, files = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < c->nr_tasks; i++) {
		struct shown_task *t = &c->tasks[i];

		if (!t->ids)
			continue;
		err = find_owner(&memory, t->ids->vm_id, t->pid, &t->memory_of);
		if (!err)
			err = find_owner(&files, t->ids->files_id, t->pid, &t->files_of);
	}
	return err;
}

int contents_read_tasks(struct contents *c)
{
	struct shown_records records;
	int err = contents_records(c, IMAGE_PSTREE, 0, c->inventory ? MUST_EXIST : MAY_BE_MISSING, &records);

	if (err)
		return err;
	c->tasks = arena_alloc(&c->arena, (records.n + 1) * sizeof(*c->tasks));
	if (!c->tasks)
		return -ENOMEM;
	for (size_t i = 0; !err && i < records.n; i++)
		err = add_task(c, (const PstreeEntry *)records.v[i]);
	put_in_order(c);
	return err ? err : find_sharing(c);
}
