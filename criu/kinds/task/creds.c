// SPDX-License-Identifier: GPL-2.0-only
/* creds_entry of every thread: ids, groups, capabilities, securebits, no_new_privs. credentials(7), capabilities(7) */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/caps.h"
#include "run/dump.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "run/user_ns.h"
#include "util/log.h"

enum {
	CAP_WORDS = 2,
	GROUPS_MAX = 65536,
	SECUREBITS_KNOWN = 0xfff,
};

/* Securebits that need no capability: the one set by PR_SET_KEEPCAPS. */
#define KEEP_CAPS_BIT BIT(4)
/* No process has it: setresuid(2) takes it for "as it is". */
#define NO_ID ((uint32_t)-1)

/* ---- dump ---- */

static int add_caps(struct dump *dump, uint64_t caps, uint32_t **ret_v, size_t *ret_n)
{
	uint32_t *v = dump_alloc(dump, CAP_WORDS * sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[0] = (uint32_t)caps;
	v[1] = (uint32_t)(caps >> 32);
	*ret_v = v;
	*ret_n = CAP_WORDS;
	return 0;
}

static int add_all_caps(struct dump *dump, const struct proc_status *st, CredsEntry *e)
{
	int err = add_caps(dump, st->cap_inh, &e->cap_inh, &e->n_cap_inh);

	err = err ? err : add_caps(dump, st->cap_prm, &e->cap_prm, &e->n_cap_prm);
	err = err ? err : add_caps(dump, st->cap_eff, &e->cap_eff, &e->n_cap_eff);
	err = err ? err : add_caps(dump, st->cap_bnd, &e->cap_bnd, &e->n_cap_bnd);
	if (!err && st->cap_amb)
		err = add_caps(dump, st->cap_amb, &e->cap_amb, &e->n_cap_amb);
	return err;
}

static int creds_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	const struct proc_status *st = &thread->status;
	CredsEntry *e = dump_alloc(dump, sizeof(*e));

	if (!e)
		return no_memory("credentials");
	creds_entry__init(e);
	e->uid = dump_uid_of(dump, st->uid[PROC_REAL]);
	e->euid = dump_uid_of(dump, st->uid[PROC_EFFECTIVE]);
	e->suid = dump_uid_of(dump, st->uid[PROC_SAVED]);
	e->fsuid = dump_uid_of(dump, st->uid[PROC_FS]);
	e->gid = dump_gid_of(dump, st->gid[PROC_REAL]);
	e->egid = dump_gid_of(dump, st->gid[PROC_EFFECTIVE]);
	e->sgid = dump_gid_of(dump, st->gid[PROC_SAVED]);
	e->fsgid = dump_gid_of(dump, st->gid[PROC_FS]);
	if (thread->parasite.securebits < 0)
		return fail(thread->parasite.securebits, "thread %d: securebits", thread->id.host_tid);
	e->secbits = (uint32_t)thread->parasite.securebits;
	if (add_all_caps(dump, st, e))
		return no_memory("credentials");
	if (st->groups.n) {
		e->groups = dump_alloc(dump, st->groups.n * sizeof(*e->groups));
		if (!e->groups)
			return no_memory("groups");
		for (size_t i = 0; i < st->groups.n; i++)
			e->groups[i] = dump_gid_of(dump, st->groups.v[i]);
		e->n_groups = st->groups.n;
	}
	if (st->no_new_privs) {
		e->has_no_new_privs = true;
		e->no_new_privs = 1;
	}
	core->thread_core->creds = e;
	return 0;
}

/* ---- restore ---- */

static uint64_t join_caps(const uint32_t *v, size_t n)
{
	return n ? v[0] | (uint64_t)v[1] << 32 : 0;
}

static int check_caps(pid_t tid, const CredsEntry *e)
{
	const struct {
		const char *name;
		size_t n;
	} sets[] = { { "cap_inh", e->n_cap_inh },
		     { "cap_prm", e->n_cap_prm },
		     { "cap_eff", e->n_cap_eff },
		     { "cap_bnd", e->n_cap_bnd },
		     { "cap_amb", e->n_cap_amb } };
	bool may_lack_it[] = { false, false, false, false, true };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (sets[i].n != CAP_WORDS && !(may_lack_it[i] && !sets[i].n))
			return core_refuse(tid, "creds.%s: %zu words, not %d", sets[i].name, sets[i].n, CAP_WORDS);
	uint64_t prm = join_caps(e->cap_prm, e->n_cap_prm), inh = join_caps(e->cap_inh, e->n_cap_inh);
	if (join_caps(e->cap_eff, e->n_cap_eff) & ~prm)
		return core_refuse(tid, "creds.cap_eff is not a subset of cap_prm");
	if (join_caps(e->cap_amb, e->n_cap_amb) & ~(prm & inh))
		return core_refuse(tid, "creds.cap_amb is not a subset of cap_prm and cap_inh");
	return 0;
}

static bool same_ids(const struct fresh_child *own, const CredsEntry *e)
{
	return own->uid[0] == e->uid && own->uid[1] == e->euid && own->uid[2] == e->suid && own->gid[0] == e->gid &&
	       own->gid[1] == e->egid && own->gid[2] == e->sgid && own->uid[1] == e->fsuid && own->gid[1] == e->fsgid;
}

/* The first id that is not mapped; (uint32_t)-1: there is none. */
static uint32_t find_unmapped(UidGidExtent *const *map, size_t n, const uint32_t *ids, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!user_ns_has(map, n, ids[i], NULL))
			return ids[i];
	return (uint32_t)-1;
}

static bool has_groups(const struct user_ns *user, const CredsEntry *e)
{
	return e->n_groups == user->nr_groups &&
	       (!e->n_groups || !memcmp(e->groups, user->groups, e->n_groups * sizeof(*e->groups)));
}

/* In a user namespace of the tree every process has all capabilities at first, but only the ids that are mapped. */
static int check_inside(const struct user_ns *user, pid_t tid, const CredsEntry *e)
{
	const UsernsEntry *u = user->record;
	const uint32_t uids[] = { e->uid, e->euid, e->suid, e->fsuid }, gids[] = { e->gid, e->egid, e->sgid, e->fsgid };
	uint32_t uid = find_unmapped(u->uid_map, u->n_uid_map, uids, ARRAY_SIZE(uids));
	uint32_t gid = find_unmapped(u->gid_map, u->n_gid_map, gids, ARRAY_SIZE(gids));

	if (uid != (uint32_t)-1 || gid != (uint32_t)-1)
		return core_refuse(tid, "creds: %s %u is not mapped in its user namespace",
				   uid != (uint32_t)-1 ? "user" : "group", uid != (uint32_t)-1 ? uid : gid);
	if (has_groups(user, e))
		return 0;
	if (!user_ns_sets_groups(user))
		return core_refuse(
			tid,
			"creds.groups differ from those of the root, and setgroups(2) is denied in its user namespace");
	gid = find_unmapped(u->gid_map, u->n_gid_map, e->groups, e->n_groups);
	return gid == (uint32_t)-1 ? 0 : core_refuse(tid, "creds.groups: %u is not mapped in its user namespace", gid);
}

enum { REAL, EFFECTIVE, SAVED, FILES, IDS };

static void ids_of(const CredsEntry *e, bool group, uint32_t to[IDS])
{
	to[REAL] = group ? e->gid : e->uid;
	to[EFFECTIVE] = group ? e->egid : e->euid;
	to[SAVED] = group ? e->sgid : e->suid;
	to[FILES] = group ? e->fsgid : e->fsuid;
}

/*
 * A thread of a task in a nested user namespace is created there, with the ids of the first one, which may have no number there:
 * what it has in common with that stays as it is (-1), others need a number. setresuid(2) and setresgid(2), called if one of the first
 * three changes, also set the one for files to the effective one.
 */
static bool ids_inside(const struct restore *r, const struct restore_task *task, bool group, const CredsEntry *e,
		       uint32_t to[IDS])
{
	uint32_t ids[IDS], first[IDS];

	ids_of(e, group, ids);
	ids_of(task->core->thread_core->creds, group, first);
	const bool same = !memcmp(ids, first, sizeof(first)), moves = memcmp(ids, first, FILES * sizeof(first[0]));

	for (int i = 0; i < IDS; i++) {
		const bool stays = same || (i == FILES ? moves && ids[FILES] == ids[EFFECTIVE] : ids[i] == first[i]);

		to[i] = stays ? NO_ID : restore_id_inside(r, task, group, ids[i]);
		if (!stays && to[i] == NO_ID)
			return false;
	}
	return true;
}

static bool same_groups(const CredsEntry *a, const CredsEntry *b)
{
	return a->n_groups == b->n_groups &&
	       (!a->n_groups || !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)));
}

static int check_nested(const struct restore *r, const struct restore_task *task, pid_t tid, const CredsEntry *e)
{
	const CredsEntry *first = task->core->thread_core->creds;
	uint32_t to[IDS];

	for (int group = 0; group < 2; group++)
		if (!ids_inside(r, task, group, e, to))
			return core_refuse(
				tid,
				"creds: a %s id, other than that of its process, is not mapped in its user namespace",
				group ? "group" : "user");
	if (same_groups(e, first))
		return 0;
	if (!user_ns_sets_groups(user_ns_of(task->ns[NS_USER])))
		return core_refuse(
			tid,
			"creds.groups differ from those of its process, and setgroups(2) is denied in its user namespace");
	for (size_t i = 0; i < e->n_groups; i++)
		if (restore_id_inside(r, task, true, e->groups[i]) == NO_ID)
			return core_refuse(tid, "creds.groups: %u is not mapped in its user namespace", e->groups[i]);
	return 0;
}

static int check_no_new_privs(pid_t tid, const struct fresh_child *own, const CredsEntry *e)
{
	if (!own->no_new_privs || e->no_new_privs)
		return 0;
	return fail(-EPERM,
		    "core-%d.img: creds.no_new_privs is not set, but this tool runs with it and cannot clear "
		    "it: restore from a shell without it",
		    tid);
}

/* Can a process with our privileges assume these credentials? The bounding set may shrink: it only limits exec. */
static int check_rights(const struct restore *r, const struct restore_task *task, pid_t tid, const CredsEntry *e)
{
	const struct fresh_child *own = &r->plan.fresh_child;
	/* In a user namespace it has all of them. */
	uint64_t more = restore_in_user_ns(task) ? 0 : join_caps(e->cap_prm, CAP_WORDS) & ~r->rights.caps.permitted;
	char name[CAPS_NAME_MAX];
	uint64_t unbound = restore_in_user_ns(task) ? 0 : join_caps(e->cap_bnd, CAP_WORDS) & ~own->bounding;

	if (more) {
		caps_name(more, name);
		return fail(-EPERM,
			    "core-%d.img: creds.cap_prm: the task had %s, and we do not: restore with that capability",
			    tid, name);
	}
	if (!same_ids(own, e) && rights_need(&r->rights, RIGHT_CHANGE_IDS,
					     "core-%d.img: creds: become user %u, group %u", tid, e->uid, e->gid))
		return -EPERM;
	if ((((uint32_t)own->securebits ^ e->secbits) & ~KEEP_CAPS_BIT) &&
	    rights_need(&r->rights, RIGHT_SET_SECUREBITS, "core-%d.img: creds.secbits 0x%x", tid, e->secbits))
		return -EPERM;
	if (check_no_new_privs(tid, own, e))
		return -EPERM;
	if (unbound) {
		caps_name(unbound, name);
		log_warn("core-%d.img: creds.cap_bnd: the bounding set loses %s, which is not in ours", tid, name);
	}
	return 0;
}

/* Threads usually have the same as their leader. */
static bool same_creds(const CredsEntry *a, const CredsEntry *b)
{
	uint8_t pa[512], pb[512];
	size_t len = creds_entry__get_packed_size(a);

	return len <= sizeof(pa) && creds_entry__get_packed_size(b) == len && creds_entry__pack(a, pa) == len &&
	       creds_entry__pack(b, pb) == len && !memcmp(pa, pb, len);
}

static int creds_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	pid_t tid = thread->id.tid;

	if (!tce || !tce->creds)
		return core_refuse(tid, "thread_core.creds is missing");
	const CredsEntry *e = tce->creds;
	if (thread != &task->threads[0] && same_creds(e, task->threads[0].core->thread_core->creds))
		return 0;
	int err = check_caps(tid, e);
	if (err)
		return err;
	if (e->n_groups > GROUPS_MAX)
		return core_refuse(tid, "creds.groups: %zu groups, the maximum is %d", e->n_groups, GROUPS_MAX);
	if (e->secbits & ~SECUREBITS_KNOWN)
		return core_refuse(tid, "creds.secbits 0x%x: unknown bits", e->secbits);
	if (r->tool.untrusted)
		return untrusted_check_creds(r, tid, tce->creds);
	err = fresh_child_need(&r->plan.fresh_child, FRESH_PROC);
	if (!err)
		err = fresh_child_need(&r->plan.fresh_child, FRESH_CREDS);
	if (!err && restore_user_ns(r))
		err = check_no_new_privs(tid, &r->plan.fresh_child, e) ?:
			      check_inside(user_ns_of(restore_user_ns(r)), tid, e);
	else if (!err)
		err = check_rights(r, task, tid, e);
	if (!err && thread != &task->threads[0] && restore_is_nested_in_user_ns(r, task))
		err = check_nested(r, task, tid, e);
	return err;
}

/*
 * The bounding set may be larger than ours, which is as much as a task can have. Each thread is made with our credentials:
 * none has other ones before it sets them itself.
 */
static bool has_ours(const struct restore *r, const CredsEntry *e)
{
	const struct fresh_child *own = &r->plan.fresh_child;
	const struct caps *caps = &r->rights.caps;

	return !r->tool.untrusted && own->read[FRESH_CREDS] && same_ids(own, e) && own->nr_groups == (int)e->n_groups &&
	       (!e->n_groups || !memcmp(own->groups, e->groups, e->n_groups * sizeof(*e->groups))) &&
	       caps->effective == join_caps(e->cap_eff, e->n_cap_eff) &&
	       caps->permitted == join_caps(e->cap_prm, e->n_cap_prm) &&
	       caps->inheritable == join_caps(e->cap_inh, e->n_cap_inh) &&
	       own->ambient == join_caps(e->cap_amb, e->n_cap_amb) &&
	       !(own->bounding & ~join_caps(e->cap_bnd, e->n_cap_bnd)) && (uint32_t)own->securebits == e->secbits &&
	       own->no_new_privs == (e->has_no_new_privs && e->no_new_privs);
}

static void put_caps(const uint32_t *v, size_t n, uint32_t to[2])
{
	uint64_t caps = join_caps(v, n);

	to[0] = (uint32_t)caps;
	to[1] = (uint32_t)(caps >> 32);
}

/*
 * Built by hand, as libcap's functions act on the calling thread, and this call is injected into the task.
 *
 * For the filters of a thread whose final credentials do not permit their installation: it keeps CAP_SYS_ADMIN until
 * they are installed (restorer/creds.c: the same condition), and drops it by this call of capset(2).
 */
static int build_capset(const ThreadCoreEntry *tce, struct wire_task *task, struct wire_thread *wire)
{
	const struct wire_creds *c = &wire->creds;
	struct {
		struct __user_cap_header_struct head;
		struct __user_cap_data_struct data[2];
	} * set;

	if (!tce->has_seccomp_mode || tce->seccomp_mode != SECCOMP_MODE__filter || c->no_new_privs)
		return 0;
	set = wire_alloc(task, sizeof(*set));
	if (!set)
		return no_memory("capabilities");
	set->head = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0 };
	for (int i = 0; i < CAP_WORDS; i++)
		set->data[i] = (struct __user_cap_data_struct){ c->cap_eff[i], c->cap_prm[i], c->cap_inh[i] };
	wire->capset_header = (uint64_t)(uintptr_t)&set->head;
	wire->capset_data = (uint64_t)(uintptr_t)set->data;
	return 0;
}

static size_t creds_wire_size(struct restore *r, const struct restore_task *task)
{
	size_t size = 0;

	for (size_t i = 0; i < task->nr_threads; i++) {
		const CredsEntry *e = task->threads[i].core->thread_core->creds;

		size += e ? e->n_groups * sizeof(*e->groups) : 0;
	}
	return size;
}

static void put_ids(const uint32_t uids[IDS], const uint32_t gids[IDS], struct wire_creds *w)
{
	w->uid = uids[REAL];
	w->euid = uids[EFFECTIVE];
	w->suid = uids[SAVED];
	w->fsuid = uids[FILES];
	w->gid = gids[REAL];
	w->egid = gids[EFFECTIVE];
	w->sgid = gids[SAVED];
	w->fsgid = gids[FILES];
}

static void put_users(const struct restore *r, const struct restore_task *task, const CredsEntry *e,
		      struct wire_creds *w)
{
	uint32_t uids[IDS], gids[IDS];

	w->nested = restore_is_nested_in_user_ns(r, task);
	w->has_groups = w->nested && same_groups(e, task->core->thread_core->creds);
	if (w->nested) {
		/* Load has seen that they can be set. */
		ids_inside(r, task, false, e, uids);
		ids_inside(r, task, true, e, gids);
	} else {
		ids_of(e, false, uids);
		ids_of(e, true, gids);
	}
	put_ids(uids, gids, w);
}

static int creds_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				  struct wire_thread *wire)
{
	const CredsEntry *e = thread->core->thread_core->creds;
	struct wire_task *wire_task = (struct wire_task *)(uintptr_t)wire->task;
	struct wire_creds *w = &wire->creds;

	*w = (struct wire_creds){ .securebits = e->secbits, .no_new_privs = e->has_no_new_privs && e->no_new_privs };
	put_users(r, task, e, w);
	put_caps(e->cap_inh, e->n_cap_inh, w->cap_inh);
	put_caps(e->cap_prm, e->n_cap_prm, w->cap_prm);
	put_caps(e->cap_eff, e->n_cap_eff, w->cap_eff);
	put_caps(e->cap_bnd, e->n_cap_bnd, w->cap_bnd);
	put_caps(e->cap_amb, e->n_cap_amb, w->cap_amb);
	w->last_cap = caps_last();
	if (!restore_in_user_ns(task) && has_ours(r, e))
		wire->inherited |= INHERITED_CREDS;
	int err = build_capset(thread->core->thread_core, wire_task, wire);
	if (err)
		return err;
	w->nr_groups = (uint32_t)e->n_groups;
	if (!e->n_groups || w->has_groups)
		return 0;
	uint32_t *groups = wire_alloc(wire_task, e->n_groups * sizeof(*groups));
	if (!groups)
		return no_memory("groups");
	for (size_t i = 0; i < e->n_groups; i++)
		groups[i] = w->nested ? restore_id_inside(r, task, true, e->groups[i]) : e->groups[i];
	w->groups = (uint64_t)(uintptr_t)groups;
	return 0;
}

const struct task_kind creds_kind = {
	.name = "creds",
	.save_thread = creds_save_thread,
	.load_thread = creds_load_thread,
	.wire_size = creds_wire_size,
	.hand_over_thread = creds_hand_over_thread,
};
