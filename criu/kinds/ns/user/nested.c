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

/* @outer: NULL is the tool's, which all are in. */
static bool is_in(const struct ns *ns, const struct ns *outer)
{
	while (ns && ns != outer)
		ns = ns->owner;
	return ns || !outer || outer->own;
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

/* The first of the ids that is neither that of the first thread nor mapped; NULL: there is none. */
static const uint32_t *find_unmapped(const struct id_map *map, const uint32_t *ids, const uint32_t *first)
{
	const bool moves = memcmp(ids, first, PROC_FS * sizeof(*ids));

	if (!moves && ids[PROC_FS] == first[PROC_FS])
		return NULL;
	for (int i = PROC_REAL; i <= PROC_FS; i++) {
		/* That for files is set by a change of the effective one: kinds/task/creds.c, of a restore. */
		bool stays = i == PROC_FS ? moves && ids[PROC_FS] == ids[PROC_EFFECTIVE] : ids[i] == first[i];

		if (!stays && !id_map_has(map, ids[i]))
			return &ids[i];
	}
	return NULL;
}

static bool same_groups(const struct proc_status *a, const struct proc_status *b)
{
	return a->groups.n == b->groups.n &&
	       (!a->groups.n || !memcmp(a->groups.v, b->groups.v, a->groups.n * sizeof(a->groups.v[0])));
}

static const char *why_not_groups(const struct user_saved *user, const struct proc_status *st)
{
	if (!user->sets_groups || !user->gids.ranges.n)
		return "where setgroups(2) is denied";
	for (size_t i = 0; i < st->groups.n; i++)
		if (!id_map_has(&user->gids, st->groups.v[i]))
			return "where not all of them are mapped";
	return NULL;
}

/*
 * They are created in the user namespace, with the ids and groups of the first one, which may have no number there; with others, they
 * take on those that have one.
 */
static void check_thread(struct dump *dump, const struct dump_task *task, const struct dump_thread *thread)
{
	const struct proc_status *first = &task->threads[0].status, *st = &thread->status;
	const struct user_saved *user = task->ns[NS_USER]->data;
	const uint32_t *uid = find_unmapped(&user->uids, st->uid, first->uid),
		       *gid = find_unmapped(&user->gids, st->gid, first->gid);
	const char *why = same_groups(st, first) ? NULL : why_not_groups(user, st);

	if (uid || gid)
		dump_blocker(
			dump, task, -1,
			"lives in another user namespace than the root of the tree, and its thread %d is %s %u, which is not mapped there, and other than its first one: that is not supported",
			thread->id.tid, uid ? "user" : "group", uid ? *uid : *gid);
	if (why)
		dump_blocker(
			dump, task, -1,
			"lives in another user namespace than the root of the tree, and its thread %d is in other groups than its first one, %s: that is not supported",
			thread->id.tid, why);
}

void user_check_nested(struct dump *dump, const struct dump_task *task, const struct ns *tree)
{
	const struct ns *user = task->ns[NS_USER];
	const struct user_saved *above = user->owner ? topmost(user)->data : NULL;

	if (!is_in(user, tree))
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
	/* Unread: a check, and the process has exited. */
	for (size_t i = 1; user->data && i < task->nr_threads; i++)
		check_thread(dump, task, &task->threads[i]);
	check_sharing(dump, task);
}

static bool has_root(const struct user_saved *user)
{
	for (size_t i = 0; i < user->uids.ranges.n; i++)
		if (!user->uids.ranges.v[i].inner)
			return true;
	return false;
}

static const char *why_not_owned(const struct ns *ns)
{
	const struct user_saved *user = ns->owner->data;

	/* Nobody else there may write to its sysctls. */
	if (ns->type == NS_IPC && user && !has_root(user))
		return ", where nobody is user 0";
	return NULL;
}

static bool covers(const struct id_map *map, const struct id_map *inner)
{
	const struct id_range *range;

	array_for_each(range, &inner->ranges)
		for (uint32_t i = 0; i < range->count;) {
			const uint32_t n = id_map_run(map, range->outer + i);

			if (!n)
				return false;
			i += n < range->count - i ? n : range->count - i;
		}
	return true;
}

/* All file systems are created in the first mount namespace (kinds/ns/mnt), where all ids need a number. */
static void check_mount_ns(struct dump *dump, const struct ns *ns)
{
	const struct ns *creator = dump_creator_of(dump, ns), *owner = ns->owner;

	/* Unread: a check, and its processes have exited. */
	if (!creator || creator == owner || !creator->uids || (owner && !owner->uids))
		return;
	if (owner && covers(creator->uids, owner->uids) && covers(creator->gids, owner->gids))
		return;
	dump_blocker(
		dump, dump_task_of(ns->member), -1,
		"its mount namespace belongs to a user namespace with ids that have no number in the one of the first mount namespace of the tree: that is not supported");
}

void user_check_owned(struct dump *dump, const struct ns *tree)
{
	const struct ns *ns;

	for (ns = dump->namespaces.first; ns; ns = ns->next) {
		const char *why = ns->owner && ns->owner != tree && ns->type != NS_USER ? why_not_owned(ns) : NULL;

		if (ns->type == NS_MNT && !ns->own && ns->member)
			check_mount_ns(dump, ns);
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

int user_link_nested(struct restore *r, const struct restore_task *rt)
{
	const char *what = NULL;

	if (restore_enters_late(r))
		what = "lived in another user namespace than the root of the tree, whose own does not own its pid namespace";
	else if (!rt->fs_owner || !rt->mm_owner || restore_is_vm_peer(rt))
		what = "lived in another user namespace than the root of the tree, and shared its directories or memory";
	return what ? fail(-EOPNOTSUPP, "process %d %s: that is not supported", rt->t.pid, what) :
		      check_parents(r, rt->ns[NS_USER], rt->t.pid);
}
