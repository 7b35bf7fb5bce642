/* SPDX-License-Identifier: GPL-2.0-only */
/* The process tree as a value: the content of pstree.img. Neither /proc nor ptrace is used here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/cleanup.h"
#include "base/list.h"

/* task_core_entry.task_state */
enum task_state { TASK_ALIVE = 1, TASK_DEAD = 2, TASK_STOPPED = 3 };
/*
 * Added to the state in images if the first thread has exited (exit_code) and others run. No other program uses such
 * values.
 */
#define TASK_LEADER_ENDED 1000

struct ns;

/*
 * Pids are those in the pid namespace of the root, which all of the tree has; host_pid is the one that the tool uses with ptrace
 * and /proc. Both are equal as long as no pid namespace is saved. In a pid namespace nested in that of the root, tasks
 * see other numbers: inner.
 */
struct thread {
	pid_t tid;
	pid_t host_tid;
	const pid_t *inner; /* of a nested pid namespace, below */
};

/*
 * Numbers in the pid namespaces nested in that of the root, from the outermost of them to @ns, as many as that is deep; 0:
 * not visible there.
 */
struct inner_numbers {
	const struct ns *ns;
	const pid_t *at;
};

/* The number in @in, which is the same as numbers->ns, or around it; 0: it is not visible there. */
pid_t inner_number(const struct inner_numbers *numbers, const struct ns *in);

/* Kernel objects that tasks may share: equal ids mean the same object. 0: none (a zombie). */
struct task_ids {
	uint32_t vm, files, fs, sighand;
};

struct task {
	struct list in_tree; /* struct tree.tasks: parents before children */
	struct list children;
	struct list sibling;
	struct task *parent; /* NULL: the root, or a process that entered its pid namespace from outside */
	unsigned index; /* position in struct tree.tasks, from 0 */
	pid_t pid, ppid, pgid, sid;
	pid_t host_pid;
	const struct ns *pid_ns; /* a nested one that it is in; NULL: it is in that of the root */
	const pid_t *inner_pid, *inner_pgid, *inner_sid; /* in nested ones, as in struct inner_numbers */
	enum task_state state;
	int exit_code; /* DEAD: its wait status */
	int stop_signal; /* STOPPED */
	int exit_signal; /* sent to its parent when it exits; 0: none */
	bool stop_unseen; /* STOPPED: its parent has not waited for it (waitpid(2) WUNTRACED) */
	char comm[16];
	struct task_ids ids;
};

struct tree {
	struct list tasks;
	size_t nr_tasks;
	struct task *root;
};

void tree_init(struct tree *tree);
/* Adds @task (pid, ppid set) as a child of @parent (NULL: none in the tree; the first one is the root). Not owned by the tree. */
void tree_add(struct tree *tree, struct task *task, struct task *parent);
/*
 * The task that can create one that shares memory with others: its parent, or an older child of the parent
 * (CLONE_PARENT, which gives it the same exit signal), provided that it shares all of @shared with it (0: not shared).
 * NULL: none can.
 */
struct task *tree_vm_peer_maker(const struct task *task, const struct task_ids *shared);

/*
 * Is @adopter, an ancestor of @maker, the subreaper that the kernel gives a child of @maker to when a process that @maker forked exits
 * (PR_SET_CHILD_SUBREAPER), as long as no task between them is one? Subreapers adopt within their pid namespace.
 */
bool tree_can_adopt(const struct task *adopter, const struct task *maker);
