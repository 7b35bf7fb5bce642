/* SPDX-License-Identifier: GPL-2.0-only */
#include "task/tree.h"
#include "task/ns.h"

void tree_init(struct tree *tree)
{
	list_init(&tree->tasks);
	tree->nr_tasks = 0;
	tree->root = NULL;
}

void tree_add(struct tree *tree, struct task *task, struct task *parent)
{
	list_init(&task->children);
	list_init(&task->sibling);
	task->parent = parent;
	task->index = tree->nr_tasks++;
	list_add_tail(&task->in_tree, &tree->tasks);
	if (parent)
		list_add_tail(&task->sibling, &parent->children);
	else if (!tree->root)
		tree->root = task;
}

pid_t inner_number(const struct inner_numbers *numbers, const struct ns *in)
{
	return ns_is_within(numbers->ns, in) ? numbers->at[in->depth - 1] : 0;
}

static bool has_all(const struct task *task, const struct task_ids *shared)
{
	const struct task_ids *own = &task->ids;

	return own->vm == shared->vm && (!shared->files || own->files == shared->files) &&
	       (!shared->fs || own->fs == shared->fs) && (!shared->sighand || own->sighand == shared->sighand);
}

struct task *tree_vm_peer_maker(const struct task *task, const struct task_ids *shared)
{
	struct task *t;

	if (!task->parent || has_all(task->parent, shared))
		return task->parent;
	list_for_each(t, &task->parent->children, sibling) {
		if (t == task)
			break;
		if (has_all(t, shared) && t->exit_signal == task->exit_signal)
			return t;
	}
	return NULL;
}

bool tree_can_adopt(const struct task *adopter, const struct task *maker)
{
	const struct task *t = maker;

	while (t && t != adopter && t->pid_ns == adopter->pid_ns)
		t = t->parent;
	return t == adopter && maker != adopter;
}
