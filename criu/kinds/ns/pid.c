// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces: their content is their processes, with the pids in images (dump/numbers.c). A namespace is created
 * with its first process, the root of the tree: restore/fork.c. pid_namespaces(7)
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/bits.h"
#include "kernel/pid_ns.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/pid_nested.h"
#include "kinds/ns/pid_settings.h"
#include "pidns.pb-c.h"
#include "run/dump.h"
#include "run/external.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"

/* The process that forks it in a restore, as far as a session outside of the pid namespace is concerned. */
static const struct task *maker_of(const struct dump_task *task)
{
	struct task_ids shared = { .vm = task->t.ids.vm,
				   .files = task->files_owner ? 0 : task->t.ids.files,
				   .fs = task->fs_owner ? 0 : task->t.ids.fs,
				   .sighand = task->sighand_owner ? 0 : task->t.ids.sighand };

	return task->t.state == TASK_DEAD || task->mm_owner ? task->t.parent : tree_vm_peer_maker(&task->t, &shared);
}

/* A session or group from outside can only be inherited, by a child forked before its parent left it: restore/link.c. */
static void check_outer(struct dump *dump, const struct dump_task *task)
{
	const struct task *by = task->t.sid ? NULL : maker_of(task);
	struct dump_task *other;

	while (by && (!by->sid || by->sid == by->pid))
		by = maker_of(dump_task_of((struct task *)by));
	if (by)
		dump_blocker(
			dump, task, -1,
			"is in a session outside of its pid namespace, and its ancestor %d is in session %d, which it has not started: that is not supported",
			by->pid, by->sid);
	if (task->t.pgid)
		return;
	dump_for_each_task(other, dump)
		if (other->t.pgid == task->t.pid)
			dump_blocker(
				dump, task, -1,
				"is in a process group outside of its pid namespace, and process %d is in a group with the id %d: that is not supported",
				other->t.pid, task->t.pid);
}

static const struct task *leader_of_session(const struct dump *dump, const struct task *t)
{
	struct dump_task *leader;

	dump_for_each_task(leader, dump)
		if (leader->t.pid == t->sid)
			return &leader->t;
	return NULL;
}

static bool is_init(const struct dump *dump, const struct task *t)
{
	return t->pid_ns ? t->pid_ns->init == t : dump->pid_level && t == dump->tree.root && t->pid == 1;
}

static bool is_ancestor(const struct task *ancestor, const struct task *t)
{
	while (t && t != ancestor)
		t = t->parent;
	return t;
}

/* It was adopted by its parent: who leads its session can no longer pass that on to it as a child. NULL: it was not. */
static const struct task *leader_of_orphan(const struct dump *dump, const struct task *t)
{
	const struct task *leader;

	if (!t->parent || !t->sid || t->sid == t->pid || t->sid == t->parent->sid)
		return NULL;
	leader = leader_of_session(dump, t);
	return leader && leader->parent != t->parent && !is_ancestor(leader, t->parent) ? leader : NULL;
}

static bool is_subreaper_for_orphan(const struct dump *dump, const struct task *t)
{
	const struct dump_task *other;

	if (is_init(dump, t))
		return false;
	dump_for_each_task(other, dump)
		if (other->t.parent == t && leader_of_orphan(dump, &other->t))
			return true;
	return false;
}

/* A restore lets it be adopted again: restore/link.c. */
static void check_orphan(struct dump *dump, const struct dump_task *task)
{
	const struct task *leader = leader_of_orphan(dump, &task->t), *parent = task->t.parent, *t = leader;

	if (leader && !tree_can_adopt(parent, leader) && !(is_init(dump, parent) && parent->pid_ns == leader->pid_ns)) {
		dump_blocker(
			dump, task, -1,
			"was adopted by process %d, and the leader of its session (%d) is in another pid namespace: that is not supported",
			parent->pid, leader->pid);
		return;
	}
	for (; t && t != parent; t = t->parent)
		if (is_subreaper_for_orphan(dump, t))
			dump_blocker(
				dump, task, -1,
				"was adopted by process %d, and process %d, between it and the leader of its session (%d), has adopted such a process, too: that is not supported",
				parent->pid, t->pid, leader->pid);
}

/* Did it get its session from a leader that does not exist any more, and not through its parent? */
static bool lost_its_leader(const struct dump *dump, const struct task *t)
{
	return t->parent && t->sid && t->sid != t->pid && t->sid != t->parent->sid && t->sid != dump->tree.root->sid &&
	       !leader_of_session(dump, t);
}

/* At restore a helper process leads the session, and forks them: it is a child of one parent (restore/link.c). */
static void check_lost_leader(struct dump *dump, const struct dump_task *task)
{
	const struct dump_task *other;

	if (!lost_its_leader(dump, &task->t))
		return;
	dump_for_each_task(other, dump) {
		if (other == task)
			return;
		if (other->t.sid != task->t.sid || other->t.parent == task->t.parent ||
		    !lost_its_leader(dump, &other->t))
			continue;
		dump_blocker(
			dump, task, -1,
			"its session %d, whose leader has exited, has members with different parents in other sessions (process %d, too): that is not supported",
			task->t.sid, other->t.pid);
		return;
	}
}

static const char *key_of(const struct dump *dump, const struct ns *ns)
{
	char id[32];

	snprintf(id, sizeof(id), "pid[%" PRIu64 "]", ns->ino);
	return external_key(dump->opts, id);
}

/* Each reading creates a process for a moment, in all namespaces around: outer ones are read first. */
static int save_settings(struct dump *dump)
{
	struct task *root = dump->tree.root;
	const struct ns *tree = dump_task_of(root)->ns[NS_PID], *ns;
	unsigned deepest = 0;
	int err = tree && !tree->own && root->pid == 1 ? pid_settings_save(dump, dump_task_of(root)) : 0;

	ns_for_each(ns, &dump->namespaces, NS_PID)
		deepest = MAX_OF(deepest, ns->depth);
	for (unsigned depth = 1; depth <= deepest; depth++)
		ns_for_each(ns, &dump->namespaces, NS_PID)
			if (!err && ns->depth == depth && ns->init && ns->init->state != TASK_DEAD)
				err = pid_settings_save(dump, dump_task_of(ns->init));
	return err;
}

static int pid_survey(struct dump *dump)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *task;
	int err;

	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		check_outer(dump, task);
		/* A name proves nothing, so it is not left out. */
		if (task->t.state != TASK_DEAD && !strcmp(task->t.comm, DUMP_BEACON_NAME))
			dump_transient_blocker(
				dump, task, -1,
				"seems to be a process of another dump of this pid namespace, which is still saving memory: wait for its end");
	}
	err = pid_nested_survey(dump);
	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		check_orphan(dump, task);
		check_lost_leader(dump, task);
	}
	if (!err)
		err = save_settings(dump);
	if (!err && tree && !tree->own && dump->tree.root->pid != 1 && !key_of(dump, tree))
		dump_blocker(
			dump, dump_task_of(dump->tree.root), -1,
			"is process %d of a pid namespace that is not the tool's: dump the init of it, run the tool inside (nsenter -t %d --pid --mount), or let it be restored in a namespace that exists, with --external 'pid[%" PRIu64
			"]:KEY', and --inherit-fd 'fd[N]:KEY' at restore",
			dump->tree.root->pid, dump->tree.root->host_pid, tree->ino);
	return err;
}

/* A namespace in which the tree is not everything: it has to exist at restore. */
static int pid_save(struct dump *dump)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	PidnsEntry entry = PIDNS_ENTRY__INIT;
	int err = 0;

	if (!tree || tree->own || dump->tree.root->pid == 1)
		return 0;
	entry.ext_key = (char *)key_of(dump, tree);
	err = image_write_single(dump->dir, IMAGE_PIDNS, tree->id, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int pid_load(struct restore *r, struct ns *ns)
{
	const struct inherit_fd *given;
	PidnsEntry *entry = NULL;
	int err;

	if (r->plan.tree.root->pid == 1 || ns != restore_task_of(r->plan.tree.root)->ns[NS_PID])
		return 0;
	err = restore_read_record(r, IMAGE_PIDNS, ns->id, &pidns_entry__descriptor, &entry);
	if (err)
		return err;
	if (!entry->ext_key)
		return fail(-EBADMSG, "pidns-%u.img: the pid namespace has no key", ns->id);
	given = external_inherited(r->opts, entry->ext_key);
	if (!given)
		return fail(
			-ENOENT,
			"the tree was part of a pid namespace: pass the one to restore it in with --inherit-fd 'fd[N]:%s'",
			entry->ext_key);
	ns->data = (void *)given;
	return 0;
}

/* The tree gets its pids in it (restore/fork.c). */
static int pid_in_namespaces(struct restore *r)
{
	struct ns *ns = restore_task_of(r->plan.tree.root)->ns[NS_PID];
	const struct inherit_fd *given = ns ? ns->data : NULL;

	if (!given)
		return 0;
	ns->fd = dup_fd_above(given->fd, r->service_base);
	return ns->fd < 0 ? fail(ns->fd, "--inherit-fd fd[%d]:%s", given->fd, given->key) : 0;
}

/* The kernel's rule: the owner of the namespace around it, or one below that. NULL: the tool's. */
static bool may_own(const struct ns *user, const struct ns *outer)
{
	for (size_t depth = 0; user != outer; depth++, user = user->owner)
		if (!user || depth > USER_NS_DEPTH)
			return false;
	return true;
}

/* One that is nested: restore/nested.c */
static int check_owner(const struct restore_task *rt, const struct ns *tree)
{
	const struct ns *ns = rt->t.pid_ns;

	if (!may_own(ns->owner, (ns->outer ?: tree)->owner))
		return fail(
			-EBADMSG,
			"process %d: its pid namespace %u cannot belong to a user namespace outside of that which owns the one around it",
			rt->t.pid, ns->id);
	return ns->owner == tree->owner || pid_ns_can_open_empty() ?
		       0 :
		       fail(-EOPNOTSUPP,
			    "process %d was in a pid namespace that belonged to another user namespace than that of the root of the tree: that needs Linux 6.11 or later",
			    rt->t.pid);
}

static int pid_link(struct restore *r)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	const struct ns *tree = root->ns[NS_PID];
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt != root && !rt->t.parent && (!tree || tree->own || tree->data))
			return fail(
				-EBADMSG,
				"pstree.img: process %d has no parent, and the tree has no pid namespace of its own",
				rt->t.pid);
	restore_for_each_task(rt, r) {
		int err = pid_settings_check(rt);

		if (!err && tree && rt->t.pid_ns)
			err = check_owner(rt, tree);
		if (err)
			return err;
	}
	return pid_children_link(r);
}

const struct run_kind pid_ns_run = {
	.name = "pid namespace",
	.namespaces = BIT(NS_PID),
	.survey = pid_survey,
	.save = pid_save,
	.load_namespace = pid_load,
	.link = pid_link,
	.in_namespaces = pid_in_namespaces,
	.at_birth = pid_settings_begin,
	.ready = pid_settings_finish,
};
