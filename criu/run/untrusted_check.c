// SPDX-License-Identifier: GPL-2.0-only
/* Checks of images and restored tasks under --untrusted-images: no rights beyond the user's. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "run/caps.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "run/untrusted_user.h"
#include "util/log.h"

#define NOT_ALLOWED "not allowed with --untrusted-images"

/* Set by PR_SET_KEEPCAPS, which needs no privilege. */
#define KEEP_CAPS_BIT BIT(4)

static uint64_t words(const uint32_t *v, size_t n)
{
	return (n > 0 ? v[0] : 0) | (n > 1 ? (uint64_t)v[1] << 32 : 0);
}

/* The user's primary group may be among the others or not. */
static bool has_group(const gid_t *v, size_t n, gid_t gid, gid_t own)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == gid)
			return true;
	return gid == own;
}

static int check_groups(const struct untrusted *u, pid_t tid, CredsEntry *e)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (!has_group(u->groups, u->nr_groups, e->groups[i], u->gid))
			return fail(-EPERM, "core-%d.img: creds.groups: user %u is not in group %u: " NOT_ALLOWED, tid,
				    u->uid, e->groups[i]);
	/* Not being in a group can be a privilege as well: chmod 604. */
	for (size_t i = 0; i < u->nr_groups; i++)
		if (!has_group(e->groups, e->n_groups, u->groups[i], u->gid))
			return fail(-EPERM,
				    "core-%d.img: creds.groups: without group %u, which user %u is in: " NOT_ALLOWED,
				    tid, u->groups[i], u->uid);
	e->groups = u->groups;
	e->n_groups = u->nr_groups;
	return 0;
}

static int check_ids(const struct untrusted *u, pid_t tid, const CredsEntry *e)
{
	const uint32_t uids[] = { e->uid, e->euid, e->suid, e->fsuid };
	const uint32_t gids[] = { e->gid, e->egid, e->sgid, e->fsgid };

	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		if (uids[i] != u->uid)
			return fail(-EPERM, "core-%d.img: creds: a task of user %u: " NOT_ALLOWED "=%u", tid, uids[i],
				    u->uid);
		if (gids[i] != u->gid)
			return fail(-EPERM, "core-%d.img: creds: group %u; that of user %u is %u: " NOT_ALLOWED, tid,
				    gids[i], u->uid, u->gid);
	}
	return 0;
}

int untrusted_refuse(const struct restore *r, const char *what)
{
	return r->tool.untrusted ? fail(-EPERM, "%s: " NOT_ALLOWED, what) : 0;
}

int untrusted_check_creds(const struct restore *r, pid_t tid, CredsEntry *e)
{
	const struct untrusted *u = r->tool.untrusted;
	int own_bits = (int)caps_securebits(), err = check_ids(u, tid, e);

	if (!err)
		err = check_groups(u, tid, e);
	if (err)
		return err;
	if (words(e->cap_prm, e->n_cap_prm) | words(e->cap_eff, e->n_cap_eff) | words(e->cap_inh, e->n_cap_inh) |
	    words(e->cap_amb, e->n_cap_amb))
		return fail(-EPERM, "core-%d.img: creds: a task with capabilities: " NOT_ALLOWED, tid);
	if (caps_bounding() & ~words(e->cap_bnd, e->n_cap_bnd))
		return fail(-EPERM,
			    "core-%d.img: creds.cap_bnd: capabilities are dropped from the bounding set: " NOT_ALLOWED
			    "; drop them from criu's own (setpriv --bounding-set)",
			    tid);
	if (((uint32_t)own_bits ^ e->secbits) & ~KEEP_CAPS_BIT)
		return fail(-EPERM, "core-%d.img: creds.secbits 0x%x: " NOT_ALLOWED, tid, e->secbits);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && !(e->has_no_new_privs && e->no_new_privs))
		return fail(-EPERM,
			    "core-%d.img: creds.no_new_privs is not set, but criu runs with it: restore from a shell "
			    "without it",
			    tid);
	return 0;
}

static int check_thread(const struct restore_thread *th)
{
	const ThreadCoreEntry *e = th->core->thread_core;
	const pid_t tid = th->id.tid;

	if (e->has_sched_policy && e->sched_policy != SCHED_OTHER && e->sched_policy != SCHED_BATCH &&
	    e->sched_policy != SCHED_IDLE)
		return fail(-EPERM, "core-%d.img: sched_policy %u: " NOT_ALLOWED, tid, e->sched_policy);
	if (e->has_sched_nice && e->sched_nice < 0)
		return fail(-EPERM, "core-%d.img: sched_nice %d: " NOT_ALLOWED, tid, e->sched_nice);
	if (e->has_seccomp_mode && e->seccomp_mode == SECCOMP_MODE__filter &&
	    !(e->creds && e->creds->has_no_new_privs && e->creds->no_new_privs))
		return fail(-EPERM, "core-%d.img: a seccomp filter without no_new_privs: " NOT_ALLOWED, tid);
	return 0;
}

int untrusted_check_task(const struct restore *r, const struct restore_task *rt)
{
	const TaskCoreEntry *tc = rt->core->tc;
	int err = 0;

	if (!r->tool.untrusted)
		return 0;
	if (tc && tc->has_oom_score_adj && tc->oom_score_adj < 0)
		return fail(-EPERM, "core-%d.img: oom_score_adj %d: " NOT_ALLOWED, rt->t.pid, tc->oom_score_adj);
	/* Tracing such a task needs a privilege that would be sufficient for any other process, too. */
	if (rt->mm && rt->mm->has_dumpable && rt->mm->dumpable != 1)
		return fail(-EPERM,
			    "mm-%d.img: a task that cannot be traced (PR_SET_DUMPABLE, or it changed its user without "
			    "exec): " NOT_ALLOWED,
			    rt->t.pid);
	for (size_t i = 0; !err && i < rt->nr_threads; i++)
		err = check_thread(&rt->threads[i]);
	return err;
}

static bool all_are(const uint32_t v[4], uint32_t id)
{
	return v[0] == id && v[1] == id && v[2] == id && v[3] == id;
}

static int audit_thread(const struct untrusted *u, pid_t tid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	_cleanup_proc_status_ struct proc_status st = { 0 };
	int err = proc_open(tid, &proc);

	if (!err)
		err = proc_status_read(&proc, &st);
	if (err)
		return fail(err, "read /proc/%d/status", tid);
	if (!all_are(st.uid, u->uid) || !all_are(st.gid, u->gid) || st.cap_prm | st.cap_eff | st.cap_inh | st.cap_amb)
		return fail(-EPERM, "restored thread %d has more rights than user %u: " NOT_ALLOWED, tid, u->uid);
	return 0;
}

/* There the tree could open our caller's terminal, and inject input. */
static int audit_session(const struct restore *r, pid_t pid)
{
	if (getsid(pid) == r->tool.own_sid || getpgid(pid) == r->tool.own_pgid)
		return fail(-EPERM, "restored process %d is in our session or process group: " NOT_ALLOWED, pid);
	return 0;
}

int untrusted_audit(const struct restore *r)
{
	struct restore_task *rt;
	int err = 0;

	if (!r->tool.untrusted)
		return 0;
	restore_for_each_task(rt, r) {
		if (rt->t.state == TASK_DEAD)
			continue;
		if (!err)
			err = audit_session(r, rt->t.host_pid);
		for (size_t i = 0; !err && i < rt->nr_threads; i++)
			err = audit_thread(r->tool.untrusted, rt->threads[i].id.host_tid);
	}
	return err;
}
