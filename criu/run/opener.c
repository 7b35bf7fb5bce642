// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "pie/vma.h"
#include "run/caps.h"
#include "run/opener.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/log.h"

/* Capabilities that affect access to files. */
#define FILE_CAPS                                                                                                \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | \
	 BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_PTRACE) |             \
	 BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE) | BIT(CAP_SYSLOG) | BIT(CAP_NET_ADMIN))

/* Our own, to be restored. */
struct openers {
	uid_t fsuid;
	gid_t fsgid;
	struct caps caps;
	gid_t *groups;
	int nr_groups;
	bool keeps_groups; /* setgroups(2) is denied, or could not set them again */
	struct opener *first;
	const struct audience *all; /* NULL: all tasks have our rights */
};

/* Files are opened by processes that have entered it. */
static int take_from_user_ns(const struct user_ns *user, struct openers *own)
{
	own->fsuid = user->uid;
	own->fsgid = user->gid;
	own->groups = (gid_t *)user->groups;
	own->nr_groups = (int)user->nr_groups;
	own->keeps_groups = !user_ns_sets_groups(user) || user->record->n_outer_groups;
	return 0;
}

/* Only if a task has fewer rights: not needed for root's trees. */
static int read_own_rest(struct restore *r, struct openers *own)
{
	if (own->groups)
		return 0;
	if (restore_user_ns(r))
		return take_from_user_ns(user_ns_of(restore_user_ns(r)), own);
	/* With an invalid id they change nothing, and return the old one: setfsuid(2). */
	own->fsuid = (uid_t)syscall(SYS_setfsuid, -1);
	own->fsgid = (gid_t)syscall(SYS_setfsgid, -1);
	own->nr_groups = getgroups(0, NULL);
	own->groups = arena_alloc(&r->arena, ((size_t)own->nr_groups + 1) * sizeof(*own->groups));
	if (!own->groups)
		return fail(-ENOMEM, "read our own groups");
	own->nr_groups = getgroups(own->nr_groups, own->groups);
	return own->nr_groups < 0 ? fail(-errno, "read our own groups") : 0;
}

/* ---- who gets what ---- */

static bool same_rights(const struct opener *a, const struct opener *b)
{
	return a->fsuid == b->fsuid && a->fsgid == b->fsgid && a->caps == b->caps && a->nr_groups == b->nr_groups &&
	       (!a->nr_groups || !memcmp(a->groups, b->groups, a->nr_groups * sizeof(*a->groups)));
}

static uint64_t caps_of(const CredsEntry *e)
{
	return e->n_cap_prm == 2 ? e->cap_prm[0] | (uint64_t)e->cap_prm[1] << 32 : 0;
}

/* @nested: their capabilities are those in a user namespace that they have not entered yet. */
static int find_opener(struct restore *r, struct openers *own, const CredsEntry *e, bool nested,
		       const struct opener **ret_opener)
{
	struct opener want = { .fsuid = e->fsuid,
			       .fsgid = e->fsgid,
			       .caps = nested ? 0 : caps_of(e) & own->caps.effective,
			       .groups = e->groups,
			       .nr_groups = e->n_groups };
	struct opener *o;
	int err;

	*ret_opener = NULL;
	if (want.caps == own->caps.effective)
		return 0;
	err = read_own_rest(r, own);
	if (err)
		return err;
	if (want.fsuid == own->fsuid && want.fsgid == own->fsgid && !(own->caps.effective & ~want.caps & FILE_CAPS))
		return 0;
	for (o = own->first; o && !same_rights(o, &want); o = o->next)
		;
	if (!o) {
		o = arena_alloc(&r->arena, sizeof(*o));
		if (!o)
			return fail(-ENOMEM, "rights of tasks");
		*o = want;
		o->next = own->first;
		own->first = o;
	}
	*ret_opener = o;
	return 0;
}

static struct audience *new_audience(struct restore *r, size_t n)
{
	return arena_alloc(&r->arena, sizeof(struct audience) + n * sizeof(struct opener *));
}

static int find_openers(struct restore *r, struct openers *own)
{
	const struct opener *opener;
	struct restore_task *rt;
	int err = 0;

	restore_for_each_task(rt, r) {
		const CredsEntry *e = rt->core && rt->core->thread_core ? rt->core->thread_core->creds : NULL;
		struct audience *alone;

		if (!e || rt->t.state == TASK_DEAD)
			continue;
		err = find_opener(r, own, e, restore_is_nested_in_user_ns(r, rt), &opener);
		if (err)
			return err;
		if (!opener)
			continue;
		alone = new_audience(r, 1);
		if (!alone)
			return fail(-ENOMEM, "rights of tasks");
		alone->openers[alone->n++] = opener;
		rt->audience = alone;
	}
	return 0;
}

static int collect_all(struct restore *r, struct openers *own)
{
	struct audience *all;
	size_t n = 0;

	for (struct opener *o = own->first; o; o = o->next)
		n++;
	if (!n)
		return 0;
	all = new_audience(r, n);
	if (!all)
		return fail(-ENOMEM, "rights of tasks");
	for (struct opener *o = own->first; o; o = o->next)
		all->openers[all->n++] = o;
	own->all = all;
	return 0;
}

/* Adds to @found, each once. */
static void add_opener(struct audience *found, const struct audience *alone)
{
	for (size_t i = 0; alone && i < found->n; i++)
		if (found->openers[i] == alone->openers[0])
			return;
	if (alone)
		found->openers[found->n++] = alone->openers[0];
}

static int find_audience(struct restore *r, const struct openers *own, struct audience *scratch, struct file *file)
{
	struct audience *kept;

	scratch->n = 0;
	if (file->in_flight || (!file->nr_users && !file->is_place)) {
		file->audience = own->all;
		return 0;
	}
	if (!file->nr_users)
		return 0;
	for (size_t i = 0; i < file->nr_users; i++)
		add_opener(scratch, file->users[i].task->audience);
	if (!scratch->n)
		return 0;
	if (scratch->n == 1) {
		for (size_t i = 0; i < file->nr_users; i++)
			if (file->users[i].task->audience)
				file->audience = file->users[i].task->audience;
		return 0;
	}
	kept = new_audience(r, scratch->n);
	if (!kept)
		return fail(-ENOMEM, "rights of tasks");
	memcpy(kept, scratch, sizeof(*kept) + scratch->n * sizeof(scratch->openers[0]));
	file->audience = kept;
	return 0;
}

/* @file is not a descriptor of @rt, but a path that it uses. */
static void add_place(struct restore *r, const struct openers *own, const struct restore_task *rt, uint32_t id)
{
	struct file *file = hash_get_ptr(&r->plan.file_by_id, id);

	if (!file)
		return;
	file->is_place = true;
	if (!file->audience)
		file->audience = rt->audience;
	else if (rt->audience && rt->audience->openers[0] != file->audience->openers[0])
		file->audience = own->all;
}

static void find_places(struct restore *r, const struct openers *own)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		if (rt->fs) {
			add_place(r, own, rt, rt->fs->cwd_id);
			add_place(r, own, rt, rt->fs->root_id);
		}
		if (!rt->mm)
			continue;
		add_place(r, own, rt, rt->mm->exe_file_id);
		for (size_t i = 0; i < rt->mm->n_vmas; i++)
			if (rt->mm->vmas[i]->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED))
				add_place(r, own, rt, (uint32_t)rt->mm->vmas[i]->shmid);
	}
}

int openers_link(struct restore *r)
{
	struct openers *own = arena_alloc(&r->arena, sizeof(*own));
	struct audience *scratch;
	int err;

	if (!own)
		return fail(-ENOMEM, "read our own rights");
	own->caps = r->rights.caps;
	r->plan.openers = own;
	err = find_openers(r, own);
	if (!err)
		err = collect_all(r, own);
	if (err || !own->all)
		return err;
	find_places(r, own);
	scratch = new_audience(r, own->all->n);
	if (!scratch)
		return fail(-ENOMEM, "rights of tasks");
	for (size_t i = 0; !err && i < r->plan.nr_files; i++)
		err = find_audience(r, own, scratch, &r->plan.files[i]);
	return err;
}

const struct audience *opened_for(const struct restore *r)
{
	return r->process.opening ? r->process.opening_for : audience_of_all(r);
}

const struct audience *audience_of_file(const struct restore *r, const struct file *file)
{
	return file->audience;
}

const struct audience *audience_of_task(const struct restore *r, const struct restore_task *rt)
{
	return rt ? rt->audience : audience_of_all(r);
}

const struct audience *audience_of_all(const struct restore *r)
{
	return r->plan.openers ? r->plan.openers->all : NULL;
}

/* ---- assuming rights ---- */

/* Both are reset when rights change (a signal that we need ourselves: restore/fork.c). */
static void reset_process_flags(const struct restore *r)
{
	if (r->process.death_signal)
		prctl(PR_SET_PDEATHSIG, r->process.death_signal);
	if (r->process.dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
}

static int set_effective(const struct openers *own, uint64_t caps)
{
	struct caps wanted = own->caps;

	wanted.effective = caps;
	return caps_set(&wanted);
}

uid_t opener_uid(void)
{
	return (uid_t)syscall(SYS_setfsuid, -1);
}

static bool has_our_groups(const struct openers *own, const struct opener *o)
{
	return own->keeps_groups ||
	       (o->nr_groups == (size_t)own->nr_groups &&
		(!o->nr_groups || !memcmp(o->groups, own->groups, o->nr_groups * sizeof(*o->groups))));
}

/* Raw system calls: libc's wrappers apply to all threads that it knows. */
static int take_on(const struct openers *own, const struct opener *o)
{
	if (!has_our_groups(own, o) && syscall(SYS_setgroups, o->nr_groups, o->groups) < 0)
		return -errno;
	syscall(SYS_setfsgid, o->fsgid);
	syscall(SYS_setfsuid, o->fsuid);
	if ((gid_t)syscall(SYS_setfsgid, -1) != o->fsgid || (uid_t)syscall(SYS_setfsuid, -1) != o->fsuid)
		return -EPERM;
	return set_effective(own, o->caps);
}

void opener_leave(struct restore *r)
{
	const struct openers *own = r->plan.openers;
	const struct opener *as = r->process.opened_as;

	if (!as)
		return;
	r->process.opened_as = NULL;
	syscall(SYS_setfsuid, own->fsuid);
	syscall(SYS_setfsgid, own->fsgid);
	if (set_effective(own, own->caps.effective) < 0 ||
	    (!has_our_groups(own, as) && syscall(SYS_setgroups, own->nr_groups, own->groups) < 0))
		log_warn("restore our own rights: %m");
	reset_process_flags(r);
}

int opener_enter(struct restore *r, const struct opener *opener)
{
	int err;

	if (r->process.opened_as == opener)
		return 0;
	opener_leave(r);
	if (!opener)
		return 0;
	prctl(PR_GET_PDEATHSIG, &r->process.death_signal);
	r->process.dumpable = prctl(PR_GET_DUMPABLE);
	r->process.opened_as = opener;
	err = take_on(r->plan.openers, opener);
	reset_process_flags(r);
	if (!err)
		return 0;
	opener_leave(r);
	return fail(err, "assume the rights of user %u, group %u", opener->fsuid, opener->fsgid);
}
