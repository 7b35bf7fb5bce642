/* SPDX-License-Identifier: GPL-2.0-only */
#include "task/tree.h"

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
	else
		tree->root = task;
}

struct task *tree_find(const struct tree *tree, pid_t pid)
{
	struct task *task;

	tree_for_each(task, tree) if (task->pid == pid) return task;
	return NULL;
}
