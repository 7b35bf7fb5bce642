// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "internal.h"
#include "kernel/last_pid.h"
#include "kernel/ns_user.h"
#include "run/untrusted.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* Ranges of one map that the kernel accepts: UID_GID_MAP_MAX_EXTENTS */
#define RANGES_MAX 340

static bool overlap(uint32_t a, uint32_t b, uint32_t count_a, uint32_t count_b)
{
	return a - b < count_b || b - a < count_a;
}

static int check_map(const struct ns *ns, const char *name, UidGidExtent *const *v, size_t n)
{
	if (n > RANGES_MAX)
		return fail(-EBADMSG, "userns-%u.img: %s has %zu ranges, the maximum is %d", ns->id, name, n,
			    RANGES_MAX);
	for (size_t i = 0; i < n; i++) {
		const UidGidExtent *e = v[i];

		if (!e->count || e->first + e->count < e->first || e->lower_first + e->count < e->lower_first)
			return fail(-EBADMSG, "userns-%u.img: %s: invalid range: %u %u %u", ns->id, name, e->first,
				    e->lower_first, e->count);
		for (size_t k = 0; k < i; k++)
			if (overlap(e->first, v[k]->first, e->count, v[k]->count) ||
			    overlap(e->lower_first, v[k]->lower_first, e->count, v[k]->count))
				return fail(-EBADMSG, "userns-%u.img: %s: ranges overlap", ns->id, name);
	}
	return 0;
}

static uint32_t first_id(UidGidExtent *const *v, size_t n)
{
	return !n || user_ns_has(v, n, 0, NULL) ? n ? 0 : (uint32_t)-1 : v[0]->first;
}

/* Those of the root: of other tasks, see kinds/task/creds.c. */
static int load_groups(struct restore *r, const struct ns *ns, struct user_ns *user)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	const CredsEntry *creds = root->core->thread_core ? root->core->thread_core->creds : NULL;
	const UsernsEntry *e = user->record;

	if (!creds)
		return fail(-EBADMSG, "core-%d.img: thread_core.creds is missing", root->t.pid);
	if (e->n_outer_groups && e->n_outer_groups != creds->n_groups)
		return fail(-EBADMSG, "userns-%u.img: %zu outer_groups, and the root of the tree has %zu", ns->id,
			    e->n_outer_groups, creds->n_groups);
	user->outer_groups = restore_alloc(r, (creds->n_groups + 1) * sizeof(*user->outer_groups));
	if (!user->outer_groups)
		return fail(-ENOMEM, "groups");
	user->groups = creds->groups;
	user->nr_groups = creds->n_groups;
	for (size_t i = 0; i < creds->n_groups; i++) {
		if (e->n_outer_groups)
			user->outer_groups[i] = e->outer_groups[i];
		else if (!user_ns_has(e->gid_map, e->n_gid_map, creds->groups[i], &user->outer_groups[i]))
			return fail(-EBADMSG, "core-%d.img: creds.groups: %u is not mapped by userns-%u.img",
				    root->t.pid, creds->groups[i], ns->id);
	}
	return 0;
}

/* CRIU saves only trees whose user namespace owns all others of theirs. */
static int load_owned(struct restore *r, struct ns *user, const UsernsEntry *e)
{
	for (struct ns *ns = r->plan.namespaces.first; ns && !e->has_owner_uid; ns = ns->next)
		if (!ns->own && !ns->joined && ns->type != NS_USER)
			ns->owner = user;
	for (size_t i = 0; i < e->n_owned_ns_id; i++) {
		struct ns *ns = r->plan.namespaces.first;

		while (ns && ns->id != e->owned_ns_id[i])
			ns = ns->next;
		if (ns && ns->joined)
			continue;
		if (!ns || ns->own || ns->owner || ns->type == NS_USER)
			return fail(-EBADMSG, "userns-%u.img: it cannot own namespace %u", user->id, e->owned_ns_id[i]);
		ns->owner = user;
	}
	return 0;
}

int user_load(struct restore *r, struct ns *ns)
{
	struct user_ns *user = restore_alloc(r, sizeof(*user));
	UsernsEntry *e = NULL;
	int err = user ? untrusted_refuse(r, "user namespaces") : fail(-ENOMEM, "user namespaces");

	if (!err)
		err = restore_read_record(r, IMAGE_USERNS, ns->id, &userns_entry__descriptor, &e);
	if (!err && ns == restore_user_ns(r) && (!e->n_uid_map || !e->n_gid_map))
		err = fail(-EBADMSG, "userns-%u.img: %s is empty", ns->id, e->n_uid_map ? "gid_map" : "uid_map");
	if (!err)
		err = check_map(ns, "uid_map", e->uid_map, e->n_uid_map);
	if (!err)
		err = check_map(ns, "gid_map", e->gid_map, e->n_gid_map);
	if (!err)
		err = check_map(ns, "projid_map", e->projid_map, e->n_projid_map);
	if (!err)
		err = rights_need(&r->rights, RIGHT_CHANGE_IDS, "map the ids of user namespace %u", ns->id);
	if (err)
		return err;
	*user = (struct user_ns){ .record = e,
				  .foreign = e->has_owner_uid && e->owner_uid != geteuid(),
				  .uid = first_id(e->uid_map, e->n_uid_map),
				  .gid = first_id(e->gid_map, e->n_gid_map) };
	ns->data = user;
	err = ns == restore_user_ns(r) ? load_groups(r, ns, user) : user_load_parent(r, ns);
	return err ? err : load_owned(r, ns, e);
}

static int check_late_task(const struct restore *r, const struct restore_task *rt)
{
	if (rt->t.state == TASK_DEAD)
		return 0;
	if (!rt->fs_owner)
		return fail(
			-EOPNOTSUPP,
			"process %d shares its directories, and its user namespace does not own its pid namespace: that is not supported",
			rt->t.pid);
	return 0;
}

/* Who may access the memory of such a process is determined by the user namespace in which execve(2) created it: the tool's now. */
static void warn_undumpable(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (restore_in_user_ns(rt) && rt->mm && rt->mm->has_dumpable && rt->mm->dumpable != 1)
			log_warn(
				"process %d is not dumpable: from now on only root outside of its user namespace may trace it, or access its files in /proc",
				rt->t.pid);
}

static int check_thread_numbers(const struct restore *r, const struct restore_task *rt)
{
	const unsigned levels = rt->t.pid_ns ? rt->t.pid_ns->depth + 1 : 1;

	if (rt->nr_threads < 2 || restore_settable_levels(r, rt) == levels || last_pid_can_be_set())
		return 0;
	return fail(
		-EOPNOTSUPP,
		"process %d has threads, and its user namespace does not own its pid namespace: their tids cannot be restored, as /proc/sys/kernel/ns_last_pid cannot be written here (CONFIG_CHECKPOINT_RESTORE)",
		rt->t.pid);
}

int user_link(struct restore *r)
{
	const struct ns *user = restore_user_ns(r);
	struct restore_task *rt;
	int err = 0;

	warn_undumpable(r);
	restore_for_each_task(rt, r) {
		if (!err)
			err = check_thread_numbers(r, rt);
		if (!err && restore_is_nested_in_user_ns(r, rt))
			err = user_link_nested(r, rt);
	}
	if (err || !user)
		return err;
	if (!restore_enters_late(r))
		return r->opts->restore_sibling && r->opts->has_images_user ?
			       fail(-EOPNOTSUPP,
				    "the user namespace of the tree owns its pid namespace: --restore-sibling and --untrusted-images are mutually exclusive then") :
			       0;
	restore_for_each_task(rt, r)
		if (!err)
			err = check_late_task(r, rt);
	return err;
}

static int write_map(pid_t pid, const char *name, UidGidExtent *const *v, size_t n)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[64];
	int err = 0;

	if (!n)
		return 0;
	for (size_t i = 0; !err && i < n; i++)
		err = buf_printf(&text, "%u %u %u\n", v[i]->first, v[i]->lower_first, v[i]->count);
	if (err)
		return fail(err, "maps of ids");
	snprintf(path, sizeof(path), "%d/%s", pid, name);
	err = write_text(proc_root(), path, text.data);
	return err ? fail(err, "map the ids of a user namespace: write to /proc/%s (\"%u %u %u\"%s)", path, v[0]->first,
			  v[0]->lower_first, v[0]->count, n > 1 ? ", ..." : "") :
		     0;
}

struct creation {
	struct restore *r;
	struct ns *ns;
};

/* In the tool, while a process is in it. */
static int write_maps(pid_t pid, void *arg)
{
	const struct creation *c = arg;
	const UsernsEntry *e = user_ns_of(c->ns)->record;
	char path[64];
	int fd = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "%d/ns/user", pid), err;

	if (fd < 0)
		return fail(fd, "open /proc/%d/ns/user", pid);
	c->ns->fd = move_fd_above(fd, c->r->service_base);
	if (c->ns->fd < 0) {
		close(fd);
		return fail(c->ns->fd, "keep a user namespace open");
	}
	snprintf(path, sizeof(path), "%d/setgroups", pid);
	/* Only before gid_map is written. */
	err = e->has_setgroups_denied && e->setgroups_denied ? write_text(proc_root(), path, "deny") : 0;
	if (err)
		return fail(err, "write to /proc/%s", path);
	err = write_map(pid, "uid_map", e->uid_map, e->n_uid_map);
	if (!err)
		err = write_map(pid, "gid_map", e->gid_map, e->n_gid_map);
	return err ? err : write_map(pid, "projid_map", e->projid_map, e->n_projid_map);
}

/* In its parent. */
static int make(void *arg)
{
	struct creation *c = arg;
	const UsernsEntry *e = user_ns_of(c->ns)->record;
	int result = 0, err;

	err = ns_user_make(e->has_owner_uid ? e->owner_uid : geteuid(), !!c->ns->owner, write_maps, c, &result);
	return err ? fail(err, "create a user namespace (is their number limited by user.max_user_namespaces?)") :
		     result;
}

int user_make(struct restore *r, struct ns *ns)
{
	const struct ns *parent = ns->owner;
	struct creation creation = { r, ns };

	return parent ? restore_run_in(&parent, 1, 0, make, &creation) : make(&creation);
}
