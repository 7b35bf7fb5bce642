// SPDX-License-Identifier: GPL-2.0-only
/*
 * A restore creates each process of a nested pid namespace with all its numbers, by a process that is in that namespace or
 * in one around it (restore/nested.c); its first process by one in the namespace around it. So all first processes must
 * be in the tree. Sessions and groups from outside of the namespace are inherited, or a parent outside sets them.
 */
#include "kinds/ns/pid_nested.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/pid_ns.h"
#include "kernel/proc_pid.h"
#include "run/dump.h"
#include "util/log.h"

static bool is_gone(const struct dump *dump, int err)
{
	return dump_is_check(dump) && (err == -ESRCH || err == -ENOENT);
}

static const pid_t *keep(struct dump *dump, const pid_t *numbers, size_t n)
{
	pid_t *kept = dump_alloc(dump, n * sizeof(*kept));

	if (kept)
		memcpy(kept, numbers, n * sizeof(*kept));
	return kept;
}

/* ---- which ones there are ---- */

/* A zombie has no other namespace any more. */
static int find_namespace(struct dump *dump, struct dump_task *dt, struct ns **ret_ns)
{
	uint32_t ino;
	int err;

	*ret_ns = dt->ns[NS_PID];
	if (dt->t.state != TASK_DEAD)
		return 0;
	err = proc_ns_ino(&dt->proc, PROC_NS_PID, &ino);
	if (err)
		return is_gone(dump, err) ? 0 : fail(err, "read /proc/%d/ns/pid", dt->t.host_pid);
	*ret_ns = ns_set_get(&dump->namespaces, &dump->arena, NS_PID, ino, false);
	return *ret_ns ? 0 : fail(-ENOMEM, "namespaces");
}

static int note_threads(struct dump *dump, struct dump_task *dt, unsigned from)
{
	for (size_t i = 0; i < dt->nr_threads; i++) {
		struct dump_thread *th = &dt->threads[i];

		th->id.inner =
			th->stand_in ? dt->t.inner_pid : keep(dump, th->status.nspid + from, dt->t.pid_ns->depth);
		if (!th->id.inner)
			return fail(-ENOMEM, "pids");
	}
	return 0;
}

static int note_numbers(struct dump *dump, struct dump_task *dt, struct ns *ns)
{
	_cleanup_proc_status_ struct proc_status s = { 0 };
	const unsigned from = dump->pid_level + 1;
	int err = proc_status_read(&dt->proc, &s);

	if (err)
		return is_gone(dump, err) ? 0 : fail(err, "read /proc/%d/status", dt->t.host_pid);
	if (s.levels <= from)
		return fail(-EIO, "/proc/%d/status shows no pid in its own pid namespace", dt->t.host_pid);
	ns->depth = s.levels - from;
	dt->t.pid_ns = ns;
	dt->t.inner_pid = keep(dump, s.nstgid + from, ns->depth);
	dt->t.inner_pgid = keep(dump, s.nspgid + from, ns->depth);
	dt->t.inner_sid = keep(dump, s.nssid + from, ns->depth);
	if (!dt->t.inner_pid || !dt->t.inner_pgid || !dt->t.inner_sid)
		return fail(-ENOMEM, "pids");
	if (dt->t.inner_pid[ns->depth - 1] == 1)
		ns->init = &dt->t;
	return note_threads(dump, dt, from);
}

static int find_nested(struct dump *dump, bool *ret_any)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *dt;

	*ret_any = false;
	dump_for_each_task(dt, dump) {
		struct ns *ns;
		int err = find_namespace(dump, dt, &ns);

		if (err)
			return err;
		if (!ns || ns == tree)
			continue;
		err = note_numbers(dump, dt, ns);
		if (err)
			return err;
		*ret_any = true;
	}
	return 0;
}

static struct dump_task *member_of(struct dump *dump, const struct ns *ns)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->t.pid_ns == ns)
			return dt;
	return NULL;
}

/* -ENOENT: it is not one of the tree. */
static int find_outer(struct dump *dump, struct ns *ns, int fd)
{
	struct ns *other;
	ino_t ino;
	int err = ns->depth > 1 ? pid_ns_parent(fd, &ino) : 0;

	if (err || ns->depth == 1)
		return err;
	ns_for_each(other, &dump->namespaces, NS_PID)
		if (other->ino == ino && other->depth == ns->depth - 1)
			ns->outer = other;
	return ns->outer ? 0 : -ENOENT;
}

/* ---- who is in them, outside of the tree ---- */

static int check_process(struct dump *dump, const struct dump_task *member, int ns, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	if (dump_find_task(dump, pid) || !pid_ns_contains(ns, pid) || proc_open(pid, &proc) ||
	    proc_stat_read(&proc, &stat) || strchr("ZX", stat.state))
		return 0;
	dump_blocker(
		dump, member, -1,
		"process %d (%s) has entered its pid namespace from outside of the tree, and would end with it: end it first, or dump a tree that contains it",
		pid, stat.comm);
	return 0;
}

/* In a tree with an own pid namespace they are part of the tree: dump/entered.c */
static int check_entered(struct dump *dump, const struct dump_task *member, int ns)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; !err && i < pids.n; i++)
		err = check_process(dump, member, ns, pids.v[i]);
	array_free(&pids);
	return err ? fail(err, "find the processes in the pid namespace of process %d", member->t.host_pid) : 0;
}

static int check_namespace(struct dump *dump, struct ns *ns)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *member = member_of(dump, ns);
	_cleanup_close_ int fd = -1;
	int err;

	if (!member)
		return 0;
	if (!ns->member)
		ns->member = &member->t;
	fd = proc_ns_open(&member->proc, PROC_NS_PID);
	if (fd < 0)
		return is_gone(dump, fd) ? 0 : fail(fd, "open /proc/%d/ns/pid", member->t.host_pid);
	if (!ns->init)
		dump_blocker(
			dump, member, -1,
			"is in a pid namespace whose first process is not in the tree: dump a tree that contains both, or end it");
	if (tree && ns->owner != tree->owner && !pid_ns_can_open_empty())
		dump_blocker(
			dump, member, -1,
			"is in a pid namespace that belongs to another user namespace than that of the root of the tree: a restore needs Linux 6.11 or later for that");
	err = find_outer(dump, ns, fd);
	if (err == -ENOENT)
		dump_blocker(
			dump, member, -1,
			"is in a pid namespace nested in one that no process of the tree is in: that is not supported");
	else if (err)
		return fail(err, "query the pid namespace around that of process %d", member->t.host_pid);
	return ns->depth == 1 && dump->pid_ns < 0 ? check_entered(dump, member, fd) : 0;
}

/* ---- what a restore can create ---- */

static void check_creation(struct dump *dump, const struct dump_task *dt)
{
	const struct ns *ns = dt->t.pid_ns, *from = dt->t.parent ? dt->t.parent->pid_ns : NULL;

	if (ns && ns->init == &dt->t && from != ns->outer)
		dump_blocker(
			dump, dt, -1,
			"is the first process of a pid namespace, and its parent (%d) is not in the one around it: that is not supported",
			dt->t.ppid);
	else if (!ns_is_within(ns, from))
		dump_blocker(
			dump, dt, -1,
			"is in a pid namespace that its parent (%d) could not create processes in: that is not supported",
			dt->t.ppid);
	if (ns && ns->init == &dt->t && dt->t.state == TASK_DEAD && WIFSIGNALED(dt->t.exit_code) &&
	    WTERMSIG(dt->t.exit_code) != SIGKILL)
		dump_blocker(
			dump, dt, -1,
			"is a zombie, was the first process of its pid namespace, and was killed by signal %d: it has to be waited for by its parent (%d) first",
			WTERMSIG(dt->t.exit_code), dt->t.ppid);
}

/* From outside of its namespace: see restore/nested_link.c */
static void check_group(struct dump *dump, const struct dump_task *dt)
{
	const struct task *t = &dt->t, *parent = t->parent;
	const struct ns *ns = t->pid_ns;

	if (!ns || !t->pgid || t->inner_pgid[ns->depth - 1])
		return;
	if (parent && parent->pgid == t->pgid)
		return;
	if (parent && parent->sid == t->sid && (!parent->pid_ns || t->inner_pgid[parent->pid_ns->depth - 1]))
		return;
	dump_blocker(
		dump, dt, -1,
		"is in process group %d, from outside of its pid namespace, and its parent (%d) could not put it there: that is not supported",
		t->pgid, t->ppid);
}

static void check_children(struct dump *dump, const struct dump_task *dt)
{
	const struct ns *ns;

	if (!dt->pid_ns_for_children || dt->t.state == TASK_DEAD)
		return;
	ns_for_each(ns, &dump->namespaces, NS_PID)
		if (ns->ino == dt->pid_ns_for_children && ns->init && ns->init->state != TASK_DEAD)
			return;
	dump_blocker(
		dump, dt, -1,
		"its next child is created in a different pid namespace, whose first process is not in the tree, or has exited: that is not supported");
}

int pid_nested_survey(struct dump *dump)
{
	struct dump_task *dt;
	struct ns *ns;
	bool any;
	int err = find_nested(dump, &any);

	ns_for_each(ns, &dump->namespaces, NS_PID)
		if (!err && any && ns->depth)
			err = check_namespace(dump, ns);
	if (err)
		return err;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (any) {
			check_creation(dump, dt);
			check_group(dump, dt);
		}
		check_children(dump, dt);
	}
	return 0;
}
