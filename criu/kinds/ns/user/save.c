// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "kernel/last_pid.h"
#include "kernel/proc_pid.h"
#include "util/fds.h"
#include "util/log.h"
#include "userns.pb-c.h"
#include "util/proc_root.h"

static int read_owner(const struct ns *ns, int fd, const struct stat *own, struct dump *dump, struct ns **ret_owner)
{
	_cleanup_close_ int owner = ioctl(fd, NS_GET_USERNS);
	struct ns *user;
	struct stat st;

	*ret_owner = NULL;
	/* EPERM: neither the tool's, nor one below it. */
	if (owner < 0 && errno != EPERM)
		return fail(-errno, "query the owner of the %s namespace of process %d", ns_type_name(ns->type),
			    ns->member->host_pid);
	if (owner >= 0 && fstat(owner, &st) < 0)
		return fail(-errno, "stat a user namespace");
	if (owner >= 0 && st.st_ino == own->st_ino)
		return 0;
	if (owner >= 0)
		ns_for_each(user, &dump->namespaces, NS_USER)
			if (user->ino == st.st_ino)
				*ret_owner = user;
	if (!*ret_owner)
		dump_blocker(
			dump, dump_task_of(ns->member), -1,
			"the user namespace that owns its %s namespace is neither the tool's nor that of a process of the tree: that is not supported",
			ns_type_name(ns->type));
	return 0;
}

static int find_owner(struct dump *dump, struct ns *ns, const struct stat *own)
{
	const struct dump_task *member = dump_task_of(ns->member);
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/%s", ns_type_name(ns->type));

	if (fd < 0)
		return dump_is_check(dump) && (fd == -ESRCH || fd == -ENOENT) ?
			       0 :
			       fail(fd, "open /proc/%d/ns/%s", member->t.host_pid, ns_type_name(ns->type));
	return read_owner(ns, fd, own, dump, &ns->owner);
}

static bool has_user_ns(const struct dump *dump)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_USER)
		if (!ns->own)
			return true;
	return false;
}

/* Without a user namespace in the tree, time namespaces, which every restore creates, are the tool's. */
static int find_owners(struct dump *dump)
{
	bool own_users = has_user_ns(dump);
	struct stat own = { 0 };
	int err = 0;

	for (struct ns *ns = dump->namespaces.first; !err && ns; ns = ns->next) {
		if (ns->own || (ns->type == NS_TIME && !own_users))
			continue;
		if (!own.st_ino && fstatat(proc_root(), "self/ns/user", &own, 0) < 0)
			return errno == ENOENT ? 0 : fail(-errno, "stat our own user namespace");
		err = find_owner(dump, ns, &own);
	}
	return err;
}

static void free_maps(void *arg)
{
	struct user_saved *saved = arg;

	id_map_free(&saved->uids);
	id_map_free(&saved->gids);
	id_map_free(&saved->projects);
}

static int read_state(struct dump *dump, struct ns *ns)
{
	struct user_saved *saved = dump_alloc(dump, sizeof(*saved));
	const struct dump_task *member = dump_task_of(ns->member);
	_cleanup_close_ int fd = proc_ns_open(&member->proc, PROC_NS_USER);
	int err = saved ? arena_defer(&dump->arena, free_maps, saved) : -ENOMEM;

	if (!err)
		err = proc_setgroups(&member->proc, &saved->sets_groups);

	if (!err && fd < 0)
		err = fd;
	if (!err && ioctl(fd, NS_GET_OWNER_UID, &saved->owner) < 0)
		err = -errno;
	if (!err)
		err = id_map_read(&member->proc, "uid_map", &saved->uids);
	if (!err)
		err = id_map_read(&member->proc, "gid_map", &saved->gids);
	if (!err)
		err = id_map_read(&member->proc, "projid_map", &saved->projects);
	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT))
		return 0;
	ns->data = saved;
	ns->uids = &saved->uids;
	ns->gids = &saved->gids;
	return err ? fail(err, "query the user namespace of process %d", member->t.host_pid) : 0;
}

/*
 * Only a user namespace that owns the pid namespace may set pids there: threads are created by tasks that have entered it, with
 * the tool's help (restore/turns.c), and one whose directories are shared cannot enter it.
 */
static void check_entering(struct dump *dump, const struct dump_task *task, const struct ns *tree)
{
	const struct dump_task *other;

	if (task->ns[NS_USER] != tree || user_sets_pids(dump))
		return;
	if (user_has_threads(dump, task) && !last_pid_can_be_set())
		dump_blocker(
			dump, task, -1,
			"has threads and its own user namespace, which does not own the pid namespace of the root of the tree: their tids cannot be restored, as /proc/sys/kernel/ns_last_pid cannot be written here (CONFIG_CHECKPOINT_RESTORE): that is not supported (it is with unshare --user --pid)");
	if (task->t.sid == task->t.pid && task->stat.tty_nr)
		dump_blocker(
			dump, task, -1,
			"has a controlling terminal and its own user namespace, which does not own the pid namespace of the root of the tree: that is not supported");
	dump_for_each_task(other, dump)
		if (other != task && other->t.state != TASK_DEAD && other->t.ids.fs == task->t.ids.fs)
			dump_blocker(
				dump, task, -1,
				"shares its directories (CLONE_FS) with process %d and has its own user namespace, which does not own the pid namespace of the root of the tree: that is not supported",
				other->t.pid);
}

/* Those of the root can be restored, and inherited: userns_entry.outer_groups. */
static bool groups_are_kept(struct dump *dump, const struct proc_status *st)
{
	const struct proc_status *root = &dump_task_of(dump->tree.root)->threads[0].status;
	bool mapped = true;

	for (size_t i = 0; i < st->groups.n; i++)
		mapped &= id_map_has(&dump->gid_map, st->groups.v[i]);
	return mapped || (st->groups.n == root->groups.n &&
			  !memcmp(st->groups.v, root->groups.v, root->groups.n * sizeof(root->groups.v[0])));
}

static void check_mapped(struct dump *dump, const struct dump_task *task, const struct dump_thread *thread)
{
	const struct proc_status *st = &thread->status;

	for (size_t i = 0; i < ARRAY_SIZE(st->uid); i++) {
		bool uid = id_map_has(&dump->uid_map, st->uid[i]);

		if (uid && id_map_has(&dump->gid_map, st->gid[i]))
			continue;
		dump_blocker(dump, task, -1,
			     "thread %d is %s %u, which is not mapped in its user namespace: that is not supported",
			     thread->id.tid, uid ? "group" : "user", uid ? st->gid[i] : st->uid[i]);
		return;
	}
	if (!groups_are_kept(dump, st))
		dump_blocker(
			dump, task, -1,
			"thread %d is in groups that are not mapped in its user namespace, and not in the same ones as the root of the tree: that is not supported",
			thread->id.tid);
}

/* Their objects have owners, as numbers in the user namespace of the tree; who creates them in an outer one would take others. */
static void check_outer(struct dump *dump)
{
	const struct ns *ns;

	for (ns = dump->namespaces.first; ns; ns = ns->next)
		if (!ns->own && !ns->owner && (ns->type == NS_IPC || ns->type == NS_MNT))
			dump_blocker(
				dump, dump_task_of(ns->member), -1,
				"its %s namespace does not belong to its user namespace, but to the tool's: that is not supported",
				ns_type_name(ns->type));
}

static void check_task(struct dump *dump, const struct dump_task *task, const struct ns *tree)
{
	check_entering(dump, task, tree);
	for (size_t i = 0; i < task->nr_threads; i++)
		check_mapped(dump, task, &task->threads[i]);
}

static int note_rights(struct dump *dump, const struct ns *user)
{
	const struct dump_task *root = dump_task_of(dump->tree.root);
	struct rights *inside = dump_alloc(dump, sizeof(*inside));
	const struct ns *pid = root->ns[NS_PID], *net = root->ns[NS_NET];

	if (!inside)
		return fail(-ENOMEM, "user namespaces");
	*inside = rights_in_user_ns(pid && pid->owner == user, net && net->owner == user);
	dump->inside = inside;
	return 0;
}

int user_survey(struct dump *dump)
{
	struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_USER];
	struct dump_task *task;
	struct ns *ns;
	int err = find_owners(dump);

	/* A check, and the root has exited. */
	if (err || !has_user_ns(dump) || !tree)
		return err;
	ns_for_each(ns, &dump->namespaces, NS_USER)
		if (!err && !ns->own)
			err = read_state(dump, ns);
	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		if (err || task->t.state == TASK_DEAD)
			continue;
		if (task->ns[NS_USER] != tree)
			user_check_nested(dump, task, tree);
		if (!tree->own)
			check_task(dump, task, tree);
	}
	user_check_owned(dump, tree);
	if (err || tree->own)
		return err;
	check_outer(dump);
	return note_rights(dump, tree);
}

/* @outer: the map of the parent namespace; an unread one, if that is the tool's. */
static int put_map(struct dump *dump, const struct id_map *map, const struct id_map *outer, UidGidExtent ***ret_v,
		   size_t *ret_n)
{
	size_t n = map->ranges.n;
	UidGidExtent **v = dump_alloc(dump, (n + 1) * sizeof(*v)),
		     *extents = dump_alloc(dump, (n + 1) * sizeof(*extents));

	if (!v || !extents)
		return fail(-ENOMEM, "maps of ids");
	for (size_t i = 0; i < n; i++) {
		const struct id_range *range = &map->ranges.v[i];

		uid_gid_extent__init(&extents[i]);
		extents[i].first = range->inner;
		extents[i].lower_first = id_map_inner(outer, range->outer);
		extents[i].count = range->count;
		v[i] = &extents[i];
	}
	*ret_v = v;
	*ret_n = n;
	return 0;
}

static int put_owned(struct dump *dump, const struct ns *user, UsernsEntry *entry)
{
	const struct ns *ns;

	for (ns = dump->namespaces.first; ns; ns = ns->next)
		entry->n_owned_ns_id += ns->owner == user && ns->type != NS_USER;
	entry->owned_ns_id = dump_alloc(dump, (entry->n_owned_ns_id + 1) * sizeof(*entry->owned_ns_id));
	if (!entry->owned_ns_id)
		return fail(-ENOMEM, "namespaces");
	entry->n_owned_ns_id = 0;
	for (ns = dump->namespaces.first; ns; ns = ns->next)
		if (ns->owner == user && ns->type != NS_USER)
			entry->owned_ns_id[entry->n_owned_ns_id++] = ns->id;
	return 0;
}

static void put_groups(struct dump *dump, UsernsEntry *entry)
{
	const struct dump_task *root = dump_task_of(dump->tree.root);
	const struct proc_status *status = &root->threads[0].status;
	bool mapped = true;

	for (size_t i = 0; i < status->groups.n; i++)
		mapped &= id_map_has(&dump->gid_map, status->groups.v[i]);
	if (mapped)
		return;
	entry->outer_groups = status->groups.v;
	entry->n_outer_groups = status->groups.n;
}

static int save_ns(struct dump *dump, const struct ns *ns)
{
	static const struct user_saved tool;
	const struct user_saved *saved = ns->data, *parent = ns->owner && ns->owner->data ? ns->owner->data : &tool;
	UsernsEntry entry = USERNS_ENTRY__INIT;
	int err;

	err = put_map(dump, &saved->uids, &parent->uids, &entry.uid_map, &entry.n_uid_map);
	if (!err)
		err = put_map(dump, &saved->gids, &parent->gids, &entry.gid_map, &entry.n_gid_map);
	if (!err)
		err = put_map(dump, &saved->projects, &parent->projects, &entry.projid_map, &entry.n_projid_map);
	if (!err)
		err = put_owned(dump, ns, &entry);
	if (err)
		return err;
	if (ns == dump_task_of(dump->tree.root)->ns[NS_USER])
		put_groups(dump, &entry);
	else
		entry.has_parent_ns_id = true;
	entry.parent_ns_id = ns->owner ? ns->owner->id : ns_own_id(NS_USER);
	entry.has_setgroups_denied = entry.setgroups_denied = !saved->sets_groups;
	entry.has_owner_uid = true;
	entry.owner_uid = id_map_inner(&parent->uids, saved->owner);
	err = image_write_single(dump->dir, IMAGE_USERNS, ns->id, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

int user_save(struct dump *dump)
{
	const struct ns *ns;
	int err = 0;

	ns_for_each(ns, &dump->namespaces, NS_USER)
		if (!err && !ns->own && ns->data)
			err = save_ns(dump, ns);
	return err;
}
