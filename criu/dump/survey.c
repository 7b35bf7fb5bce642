/* SPDX-License-Identifier: GPL-2.0-only */
/* Queries the kernel from outside, and collects all blockers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "dump/dump.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* Their names in /proc. Those that children will be created in are handled by their kinds (pid, time). */
static const struct {
	enum proc_ns ns;
	enum ns_type type;
} proc_namespaces[] = {
	{ PROC_NS_PID, NS_PID },   { PROC_NS_NET, NS_NET }, { PROC_NS_IPC, NS_IPC },   { PROC_NS_UTS, NS_UTS },
	{ PROC_NS_TIME, NS_TIME }, { PROC_NS_MNT, NS_MNT }, { PROC_NS_USER, NS_USER }, { PROC_NS_CGROUP, NS_CGROUP },
};

static int note_namespace(struct dump *dump, struct dump_task *dt, enum ns_type type, uint32_t ino, bool own)
{
	struct ns *ns = ns_set_get(&dump->namespaces, &dump->arena, type, ino, own);

	if (!ns)
		return fail(-ENOMEM, "namespaces");
	dt->ns[type] = ns;
	if (ns->member)
		return 0;
	ns->member = &dt->t;
	return type == NS_MNT ? dump_read_mounts(dump, ns) : 0;
}

/* Is it in the same namespaces as @like? */
static bool is_in_those_of(const struct dump_task *dt, const struct dump_task *like)
{
	const struct kernel_task *k = dt->kernel, *other = like ? like->kernel : NULL;

	return k && other && k->nsproxy == other->nsproxy && k->pid_ns == other->pid_ns &&
	       k->same.user_ns == other->same.user_ns;
}

/* Those of types that no kind saves must be the tool's own. */
static int find_namespaces(struct dump *dump, const uint32_t ours[PROC_NS_COUNT], struct dump_task *dt)
{
	size_t blockers = dump->blockers.nr;

	if (is_in_those_of(dt, dump->namespaces_like)) {
		memcpy(dt->ns, dump->namespaces_like->ns, sizeof(dt->ns));
		dt->namespaces_alike = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(proc_namespaces); i++) {
		enum proc_ns ns = proc_namespaces[i].ns;
		enum ns_type type = proc_namespaces[i].type;
		uint32_t theirs;
		int err = ours[ns] ? proc_ns_ino(&dt->proc, ns, &theirs) : -ENOENT;

		if (err == -ENOENT)
			continue;
		if (err < 0)
			return dump_is_check(dump) && err == -ESRCH ?
				       err :
				       fail(err, "read /proc/%d/ns/%s", dt->t.host_pid, proc_ns_name(ns));
		err = note_namespace(dump, dt, type, theirs, theirs == ours[ns]);
		if (err)
			return err;
		if (theirs != ours[ns] && !kind_of_namespaces(type))
			dump_blocker(
				dump, dt, -1,
				"lives in another %s namespace than the tool: dumping namespaces is not implemented; run the tool inside (nsenter -t %d --%s)",
				proc_ns_name(ns), dt->t.host_pid, proc_ns_name(ns));
	}
	if (dump->blockers.nr == blockers)
		dump->namespaces_like = dt;
	return 0;
}

/* 0 for types that this kernel does not have. */
static int read_our_namespaces(uint32_t ret_ours[PROC_NS_COUNT])
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int opened = proc_open_self(&self);

	if (opened < 0)
		return fail(opened, "open /proc/self");
	for (size_t i = 0; i < ARRAY_SIZE(proc_namespaces); i++) {
		enum proc_ns ns = proc_namespaces[i].ns;
		int err = proc_ns_ino(&self, ns, &ret_ours[ns]);

		if (err == -ENOENT)
			ret_ours[ns] = 0;
		else if (err < 0)
			return fail(err, "read /proc/self/ns/%s", proc_ns_name(ns));
	}
	return 0;
}

/* Attempts in which a process that entered the pid namespace may still be in a session outside. */
#define SESSION_TRIES 3

/*
 * A session or group whose leader is not in the tree must be known at restore: it is either in the tree, or the session
 * of the user who restores.
 */
static void check_session(struct dump *dump, struct dump_task *dt)
{
	const struct task *parent = dt->t.parent;
	/* 0: the leader is outside of the pid namespace. */
	bool came_with_it = !parent || (!dt->t.sid && parent->sid);

	if (!came_with_it || dt->t.sid == dt->t.pid || dump->opts->shell_job)
		return;
	/* What enters a pid namespace (exec of a container engine) starts a session only then. */
	if (!parent && &dt->t != dump->tree.root && dump_may_try_again(dump, SESSION_TRIES))
		dump_transient_blocker(dump, dt, -1,
				       "has just entered the pid namespace, and is in a session outside of it");
	else
		dump_blocker(
			dump, dt, -1,
			"belongs to session %d, whose leader is not in the tree: dump the leader, or use --shell-job (-j) to restore into the session of a terminal",
			dt->t.sid);
}

/* It can only be created in that memory, by a task that uses it. */
static void check_vm_peer(struct dump *dump, struct dump_task *dt)
{
	struct task_ids shared = { .vm = dt->t.ids.vm,
				   .files = dt->files_owner ? 0 : dt->t.ids.files,
				   .fs = dt->fs_owner ? 0 : dt->t.ids.fs,
				   .sighand = dt->sighand_owner ? 0 : dt->t.ids.sighand };

	if (!tree_vm_peer_maker(&dt->t, &shared))
		dump_blocker(
			dump, dt, -1,
			"shares its memory (CLONE_VM) with processes, none of which could create it at restore: neither its parent nor an older child of that, with the exit signal %d and what else it shares (descriptors, directories, signal handlers); that is not supported",
			dt->t.exit_signal);
}

/* A restore needs the first thread until everything is restored. */
static void check_leader(struct dump *dump, struct dump_task *dt)
{
	struct dump_task *other;

	if (!dt->leader_ended)
		return;
	dump_for_each_task(other, dump)
		if (other != dt && other->t.state != TASK_DEAD && other->t.ids.vm == dt->t.ids.vm)
			dump_blocker(
				dump, dt, -1,
				"its first thread has ended, and it shares its memory (CLONE_VM) with process %d: that is not supported",
				other->t.pid);
}

static int survey_task(struct dump *dump, const uint32_t our_namespaces[PROC_NS_COUNT], struct dump_task *dt)
{
	int err;

	dump->asked.kind = "namespace";
	err = find_namespaces(dump, our_namespaces, dt);
	dump->asked.kind = "memory";
	/* For a stopped tree this has been done: dump/infect.c */
	if (!err && dump_is_check(dump))
		err = dump_read_mappings(dump, dt);
	if (!err && dt->mm_owner) {
		err = memory_survey(dump, dt);
	} else if (!err) {
		check_vm_peer(dump, dt);
	}
	if (err < 0)
		return err;
	dump->asked.kind = "session";
	check_session(dump, dt);
	check_leader(dump, dt);
	for (const struct task_kind *const *kind = task_kinds; *kind; kind++) {
		dump->asked.kind = (*kind)->name;
		err = (*kind)->survey ? (*kind)->survey(dump, dt) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* Ids in images are those in the tree's user namespace. */
static int read_id_maps(struct dump *dump)
{
	struct dump_task *root = dump_task_of(dump->tree.root);
	int err;

	if (!root->ns[NS_USER] || root->ns[NS_USER]->own)
		return 0;
	err = id_map_read(&root->proc, "uid_map", &dump->uid_map);
	if (!err)
		err = id_map_read(&root->proc, "gid_map", &dump->gid_map);
	return err ? fail(err, "read /proc/%d/uid_map and gid_map", root->t.host_pid) : 0;
}

static int survey_kinds(struct dump *dump)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind) {
		dump->asked.kind = kind->name;
		if (!err && kind->survey)
			err = kind->survey(dump);
	}
	return err;
}

int dump_survey_mounts(struct dump *dump)
{
	uint32_t our_namespaces[PROC_NS_COUNT];
	struct dump_task *dt;
	int err = read_our_namespaces(our_namespaces);

	dump->stood = clocks_now();
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && dt->t.state != TASK_DEAD)
			err = find_namespaces(dump, our_namespaces, dt);
	}
	return err;
}

int dump_survey(struct dump *dump)
{
	uint32_t our_namespaces[PROC_NS_COUNT];
	struct dump_task *dt;
	int err;

	dump->stood = clocks_now();
	err = read_our_namespaces(our_namespaces);
	if (err)
		return err;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (dt->t.state == TASK_DEAD)
			continue;
		err = survey_task(dump, our_namespaces, dt);
		if (!err)
			log_debug("%zu mappings, %zu descriptors", dt->maps.n, dt->nr_fds);
		if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT)) {
			dt->t.state = TASK_DEAD;
			if (dump->namespaces_like == dt)
				dump->namespaces_like = NULL;
			continue;
		}
		if (err)
			return err;
		err = dump_interrupted_soon(dump);
		if (err)
			return err;
	}
	err = read_id_maps(dump);
	return err ? err : survey_kinds(dump);
}
