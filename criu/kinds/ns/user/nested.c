// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of which some processes live in another user namespace than the root: what cannot be restored. Only a process outside
 * may set pids, and whoever enters a user namespace has one thread, and shares its directories with nobody.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"
#include "kernel/last_pid.h"
#include "run/user_ns.h"
#include "util/log.h"

static bool is_below(const struct ns *ns, const struct ns *tree)
{
	while (ns && ns != tree)
		ns = ns->owner;
	return ns || !tree || tree->own;
}

/* The ancestor that was created in the tool's own: who owns that, has control of all below it, and may trace who creates them. */
static const struct ns *topmost(const struct ns *user)
{
	while (user->owner)
		user = user->owner;
	return user;
}

/* ---- dump ---- */

bool user_sets_pids(const struct dump *dump)
{
	const struct dump_task *root = dump_task_of(dump->tree.root);
	const struct ns *pid = root->ns[NS_PID], *user = root->ns[NS_USER];

	return user->own || (pid && pid->owner == user);
}

/* A check does not look at each of them. */
bool user_has_threads(const struct dump *dump, const struct dump_task *task)
{
	return task->nr_threads > 1 || (dump_is_check(dump) && task->stat.threads > 1);
}

static void check_sharing(struct dump *dump, const struct dump_task *task)
{
	const struct dump_task *other;

	dump_for_each_task(other, dump) {
		if (other == task || other->t.state == TASK_DEAD)
			continue;
		if (other->t.ids.fs == task->t.ids.fs || other->t.ids.vm == task->t.ids.vm)
			dump_blocker(
				dump, task, -1,
				"lives in another user namespace than the root of the tree, and shares its %s with process %d: that is not supported",
				other->t.ids.vm == task->t.ids.vm ? "memory (CLONE_VM)" : "directories (CLONE_FS)",
				other->t.pid);
	}
}

/* They are created with those of the first one, which may have no number inside. */
static void check_threads(struct dump *dump, const struct dump_task *task)
{
	const struct proc_status *first = &task->threads[0].status;

	for (size_t i = 1; i < task->nr_threads; i++) {
		const struct proc_status *st = &task->threads[i].status;

		if (!memcmp(st->uid, first->uid, sizeof(st->uid)) && !memcmp(st->gid, first->gid, sizeof(st->gid)) &&
		    st->groups.n == first->groups.n &&
		    (!st->groups.n || !memcmp(st->groups.v, first->groups.v, st->groups.n * sizeof(st->groups.v[0]))))
			continue;
		dump_blocker(
			dump, task, -1,
			"lives in another user namespace than the root of the tree, and its thread %d is another user, or in other groups, than its first one: that is not supported",
			task->threads[i].id.tid);
	}
}

void user_check_nested(struct dump *dump, const struct dump_task *task, const struct ns *tree)
{
	const struct ns *user = task->ns[NS_USER];
	const struct user_saved *above = user->owner ? topmost(user)->data : NULL;

	if (!is_below(user, tree))
		dump_blocker(
			dump, task, -1,
			"lives in a user namespace that was not created in that of the root of the tree: that is not supported");
	if (!user_sets_pids(dump))
		dump_blocker(
			dump, task, -1,
			"lives in another user namespace than the root of the tree, whose own does not own its pid namespace: that is not supported (it is with unshare --user --pid)");
	if (above && above->owner != geteuid())
		dump_blocker(
			dump, task, -1,
			"lives in a user namespace in one that belongs to user %u, not to the user of this program: that is not supported",
			above->owner);
	if (user_has_threads(dump, task) && !last_pid_can_be_set())
		dump_blocker(
			dump, task, -1,
			"has threads, and lives in another user namespace than the root of the tree: their tids cannot be restored, as /proc/sys/kernel/ns_last_pid cannot be written here (CONFIG_CHECKPOINT_RESTORE): that is not supported");
	check_threads(dump, task);
	check_sharing(dump, task);
}

static bool is_same_map(const struct id_map *map, const struct id_map *tree)
{
	for (size_t i = 0; i < map->ranges.n; i++)
		if (map->ranges.v[i].inner != id_map_inner(tree, map->ranges.v[i].outer))
			return false;
	return true;
}

static bool has_root(const struct user_saved *user)
{
	for (size_t i = 0; i < user->uids.ranges.n; i++)
		if (!user->uids.ranges.v[i].inner)
			return true;
	return false;
}

static bool have_one_owner(const struct dump *dump, enum ns_type type)
{
	const struct ns *ns, *first = NULL;

	ns_for_each(ns, &dump->namespaces, type) {
		if (ns->own)
			continue;
		if (first && ns->owner != first->owner)
			return false;
		first = ns;
	}
	return true;
}

static const char *why_not_owned(const struct dump *dump, const struct ns *ns)
{
	const struct user_saved *user = ns->owner->data;

	/* Nobody else there may write to its sysctls. */
	if (ns->type == NS_IPC && user && !has_root(user))
		return ", where nobody is user 0";
	/* All file systems are created in the first mount namespace (kinds/ns/mnt), with the numbers there. */
	if (ns->type == NS_MNT && user && !have_one_owner(dump, NS_MNT) &&
	    !(is_same_map(&user->uids, &dump->uid_map) && is_same_map(&user->gids, &dump->gid_map)))
		return ", where ids have other numbers";
	return NULL;
}

void user_check_owned(struct dump *dump, const struct ns *tree)
{
	const struct ns *ns;

	for (ns = dump->namespaces.first; ns; ns = ns->next) {
		const char *why =
			ns->owner && ns->owner != tree && ns->type != NS_USER ? why_not_owned(dump, ns) : NULL;

		if (why)
			dump_blocker(
				dump, dump_task_of(ns->member), -1,
				"its %s namespace belongs to another user namespace than that of the root of the tree%s: that is not supported",
				ns_type_name(ns->type), why);
	}
}

/* ---- restore ---- */

int user_load_parent(struct restore *r, struct ns *ns)
{
	const UsernsEntry *e = user_ns_of(ns)->record;
	struct ns *parent;

	if (!e->has_parent_ns_id || !e->has_owner_uid)
		return fail(-EBADMSG, "userns-%u.img: %s is missing", ns->id,
			    e->has_owner_uid ? "parent_ns_id" : "owner_uid");
	if (e->parent_ns_id == r->plan.own_ns_ids[NS_USER] && !restore_user_ns(r))
		return 0;
	ns_for_each(parent, &r->plan.namespaces, NS_USER)
		if (parent->id == e->parent_ns_id && !parent->own)
			ns->owner = parent;
	return ns->owner ? 0 :
			   fail(-EBADMSG, "userns-%u.img: parent_ns_id: no process is in user namespace %u", ns->id,
				e->parent_ns_id);
}

static int check_parents(const struct restore *r, const struct ns *user, pid_t pid)
{
	const struct ns *tree = restore_user_ns(r), *ns = user;
	size_t depth = 0;

	for (; ns && ns != tree; ns = ns->owner)
		if (++depth > USER_NS_DEPTH)
			return fail(-EBADMSG, "userns-%u.img: parent_ns_id: it is its own ancestor", user->id);
	if (tree && !ns)
		return fail(
			-EOPNOTSUPP,
			"process %d lived in a user namespace that was not created in that of the root of the tree: that is not supported",
			pid);
	if (user->owner && user_ns_of(topmost(user))->foreign)
		return fail(
			-EOPNOTSUPP,
			"process %d lived in a user namespace in one that belongs to another user than this program: that is not supported",
			pid);
	return 0;
}

static bool has_ids_of(const CredsEntry *a, const CredsEntry *b)
{
	return a->uid == b->uid && a->euid == b->euid && a->suid == b->suid && a->fsuid == b->fsuid &&
	       a->gid == b->gid && a->egid == b->egid && a->sgid == b->sgid && a->fsgid == b->fsgid &&
	       a->n_groups == b->n_groups &&
	       (!a->n_groups || !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)));
}

/* They are created when the process has entered its user namespace, where it cannot take on ids from outside. */
static const char *why_not_threads(const struct restore_task *rt)
{
	for (size_t i = 1; i < rt->nr_threads; i++)
		if (!has_ids_of(rt->threads[i].core->thread_core->creds, rt->core->thread_core->creds))
			return "lived in another user namespace than the root of the tree, and had threads of other users or groups";
	return NULL;
}

int user_link_nested(struct restore *r, const struct restore_task *rt)
{
	const char *what = NULL;

	if (restore_enters_late(r))
		what = "lived in another user namespace than the root of the tree, whose own does not own its pid namespace";
	else if (!rt->fs_owner || !rt->mm_owner || restore_is_vm_peer(rt))
		what = "lived in another user namespace than the root of the tree, and shared its directories or memory";
	else
		what = why_not_threads(rt);
	return what ? fail(-EOPNOTSUPP, "process %d %s: that is not supported", rt->t.pid, what) :
		      check_parents(r, rt->ns[NS_USER], rt->t.pid);
}
