// SPDX-License-Identifier: GPL-2.0-only
#include "run/user_ns.h"
#include <errno.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/ns_run.h"
#include "util/log.h"

/* No process has it: setresuid(2) takes it for "as it is". */
#define NO_ID ((uint32_t)-1)

const struct user_ns *user_ns_of(const struct ns *ns)
{
	return ns->data;
}

const struct ns *restore_user_ns(const struct restore *r)
{
	const struct ns *ns = restore_task_of(r->plan.tree.root)->ns[NS_USER];

	return ns && !ns->own ? ns : NULL;
}

bool restore_in_user_ns(const struct restore_task *rt)
{
	return rt->ns[NS_USER] && !rt->ns[NS_USER]->own;
}

bool restore_is_nested_in_user_ns(const struct restore *r, const struct restore_task *rt)
{
	return restore_in_user_ns(rt) && rt->ns[NS_USER] != restore_user_ns(r);
}

bool restore_enters_late(const struct restore *r)
{
	const struct ns *user = restore_user_ns(r), *pid = restore_task_of(r->plan.tree.root)->ns[NS_PID];

	return user && (!pid || pid->owner != user);
}

static bool owns(const struct ns *user, const struct ns *pid)
{
	const struct ns *owner = pid ? pid->owner : NULL;

	while (owner && owner != user)
		owner = owner->owner;
	return owner;
}

unsigned restore_settable_levels(const struct restore *r, const struct restore_task *rt)
{
	const struct ns *user = rt->ns[NS_USER], *pid = rt->t.pid_ns;
	const unsigned levels = pid ? pid->depth + 1 : 1;
	unsigned n = 0;

	if (!user || user->own)
		return levels;
	for (; pid && owns(user, pid); pid = pid->outer)
		n++;
	return !pid && owns(user, restore_task_of(r->plan.tree.root)->ns[NS_PID]) ? levels : n;
}

int restore_need_early(const struct restore *r, struct restore_thread *thread)
{
	uint64_t pid = 0;
	const struct restore_task *rt = hash_get(&r->plan.tids, (uint64_t)thread->id.tid, &pid) ?
						hash_get_ptr(&r->plan.task_by_pid, pid) :
						NULL;

	thread->early = true;
	if (!rt || !restore_is_nested_in_user_ns(r, rt))
		return 0;
	return fail(
		-EOPNOTSUPP,
		"process %d lived in another user namespace than the root of the tree, and a descriptor refers to its thread %d (pidfd, F_SETOWN_EX): that is not supported",
		rt->t.pid, thread->id.tid);
}

bool user_ns_has(UidGidExtent *const *map, size_t n, uint32_t inner, uint32_t *ret_outer)
{
	for (size_t i = 0; i < n; i++) {
		if (inner - map[i]->first >= map[i]->count)
			continue;
		if (ret_outer)
			*ret_outer = map[i]->lower_first + (inner - map[i]->first);
		return true;
	}
	return false;
}

static uint32_t number_inside(UidGidExtent *const *map, size_t n, uint32_t outer)
{
	for (size_t i = 0; i < n; i++)
		if (outer - map[i]->lower_first < map[i]->count)
			return map[i]->first + (outer - map[i]->lower_first);
	return NO_ID;
}

uint32_t restore_id_inside(const struct restore *r, const struct restore_task *rt, bool group, uint32_t id)
{
	const struct ns *chain[USER_NS_DEPTH], *ns = rt->ns[NS_USER], *tree = restore_user_ns(r);
	size_t n = 0;

	for (; ns && ns != tree; ns = ns->owner) {
		/* Images of which link (kinds/ns/user) has not yet seen that they are wrong. */
		if (n == ARRAY_SIZE(chain) || !user_ns_of(ns))
			return NO_ID;
		chain[n++] = ns;
	}
	while (n && id != NO_ID) {
		const UsernsEntry *e = user_ns_of(chain[--n])->record;

		id = group ? number_inside(e->gid_map, e->n_gid_map, id) : number_inside(e->uid_map, e->n_uid_map, id);
	}
	return id;
}

uint32_t restore_uid_here(const struct restore *r, uint32_t uid)
{
	const struct ns *ns = restore_user_ns(r);

	if (ns && !r->process.task)
		user_ns_has(user_ns_of(ns)->record->uid_map, user_ns_of(ns)->record->n_uid_map, uid, &uid);
	return uid;
}

bool user_ns_sets_groups(const struct user_ns *user)
{
	return user->record->n_gid_map && !(user->record->has_setgroups_denied && user->record->setgroups_denied);
}

/* Raw system calls: libc's wrappers apply to all threads that it knows. */
static int become_root(const struct user_ns *user)
{
	if ((user->record->n_gid_map && syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0) ||
	    (user->record->n_uid_map && syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0))
		return fail(-errno, "become user %u, group %u of the user namespace", user->uid, user->gid);
	return 0;
}

static int enter(const struct ns *ns)
{
	const struct user_ns *user = user_ns_of(ns);

	/* Outside, where all of them have numbers, and it is allowed. Those of a nested one are the business of its tasks. */
	if (user->outer_groups && syscall(SYS_setgroups, user->nr_groups, user->outer_groups) < 0)
		return fail(-errno, "set the groups");
	if (setns(ns->fd, CLONE_NEWUSER) < 0)
		return fail(-errno, "enter the user namespace %u", ns->id);
	return become_root(user);
}

/* A parent that exited before has sent no signal. */
static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(-errno, "prctl(PR_SET_PDEATHSIG)");
	return getppid() == parent ? 0 : -ECANCELED;
}

int user_ns_enter(const struct ns *ns)
{
	bool foreign = user_ns_of(ns)->foreign;
	const pid_t parent = getppid();
	int err = foreign && prctl(PR_SET_DUMPABLE, 0) < 0 ? fail(-errno, "prctl(PR_SET_DUMPABLE)") : enter(ns);

	/*
	 * What a change of credentials resets. We have descriptors and memory of the tool, which is not what the owner of the
	 * namespace may have; only root may have everything anyway.
	 */
	if (!err && prctl(PR_SET_DUMPABLE, !foreign) < 0)
		err = fail(-errno, "prctl(2) in the user namespace %u", ns->id);
	return err ? err : die_with(parent);
}

static bool has_groups(const CredsEntry *c)
{
	gid_t *now = calloc(c->n_groups + 1, sizeof(*now));
	bool same = now && getgroups((int)c->n_groups + 1, now) == (int)c->n_groups &&
		    (!c->n_groups || !memcmp(now, c->groups, c->n_groups * sizeof(*now)));

	free(now);
	return same;
}

static int become(const CredsEntry *c)
{
	/* All capabilities are needed to enter it, and are lost then. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return fail(-errno, "set the securebits");
	if (!has_groups(c) && syscall(SYS_setgroups, c->n_groups, c->groups) < 0)
		return fail(-errno, "set the groups");
	if (syscall(SYS_setresgid, c->gid, c->egid, c->sgid) < 0 ||
	    syscall(SYS_setresuid, c->uid, c->euid, c->suid) < 0)
		return fail(-errno, "become user %u, group %u", c->uid, c->gid);
	syscall(SYS_setfsgid, c->fsgid);
	syscall(SYS_setfsuid, c->fsuid);
	return 0;
}

int user_ns_enter_nested(const struct ns *ns, const CredsEntry *creds)
{
	const pid_t parent = getppid();
	int err = become(creds);

	if (!err && setns(ns->fd, CLONE_NEWUSER) < 0)
		err = fail(-errno, "enter the user namespace %u", ns->id);
	if (!err && prctl(PR_SET_DUMPABLE, 0) < 0)
		err = fail(-errno, "prctl(2) in the user namespace %u", ns->id);
	return err ? err : die_with(parent);
}

struct call {
	const struct ns *const *in;
	size_t nr;
	unsigned fresh;
	int (*fn)(void *arg);
	void *arg;
};

/*
 * In a process that shares the memory of the tool: nobody with capabilities in the user namespace only, such as the user
 * who owns it, may trace it.
 */
static int enter_and_call(void *arg)
{
	const struct call *call = arg;
	const pid_t parent = getppid();
	int err = prctl(PR_SET_DUMPABLE, 0) < 0 ? fail(-errno, "prctl(PR_SET_DUMPABLE)") : 0;

	for (size_t i = 0; !err && i < call->nr; i++) {
		const struct ns *ns = call->in[i];

		if (ns->type == NS_USER)
			err = enter(ns);
		else if (setns(ns->fd, (int)ns_type_flag(ns->type)) < 0)
			err = fail(-errno, "enter the %s namespace %u", ns_type_name(ns->type), ns->id);
		prctl(PR_SET_DUMPABLE, 0);
	}
	if (err)
		return err;
	if (call->fresh && unshare((int)call->fresh) < 0)
		return fail(-errno, "create namespaces: unshare(0x%x)", call->fresh);
	err = die_with(parent);
	return err ? err : call->fn(call->arg);
}

static int run_in_user_ns(struct call *call)
{
	int dumpable = prctl(PR_GET_DUMPABLE), result = 0;
	int err = ns_run_in(NULL, 0, enter_and_call, call, &result);

	prctl(PR_SET_DUMPABLE, dumpable == 1);
	return err ? fail(err, "run in the namespaces of the tree") : result;
}

int restore_run_in(const struct ns *const *in, size_t nr, unsigned fresh, int (*fn)(void *arg), void *arg)
{
	struct call call = { in, nr, fresh, fn, arg };
	int fds[NS_TYPES], result = 0, err;

	for (size_t i = 0; i < nr; i++) {
		if (in[i]->type == NS_USER)
			return run_in_user_ns(&call);
		fds[i] = in[i]->fd;
	}
	err = ns_run_in_new(&(struct ns_targets){ fds, nr, fresh }, fn, arg, &result);
	return err ? fail(err, "enter the namespaces of the tree, or create some (0x%x)", fresh) : result;
}

int restore_run_in_ns(const struct ns *ns, int (*fn)(void *arg), void *arg)
{
	const struct ns *in[] = { ns->owner, ns };

	return restore_run_in(in + !ns->owner, 1 + !!ns->owner, 0, fn, arg);
}
