/* SPDX-License-Identifier: GPL-2.0-only */
/* Which tasks there are, and what they share: read while they are being stopped, or while they run (check.c). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "dump/dump.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

int dump_add_task(struct dump *dump, pid_t pid, struct dump_task *parent, struct dump_task **ret_task)
{
	struct dump_task *dt = dump_alloc(dump, sizeof(*dt));
	int err;

	if (!dt || memory_task_begin(dump, dt))
		return fail(-ENOMEM, "task %d", pid);
	dt->t.pid = dt->t.host_pid = pid;
	dt->t.state = TASK_ALIVE;
	dt->proc = PROC_CLOSED;
	dt->pidfd = -1;
	err = proc_open(pid, &dt->proc);
	if (err < 0)
		return dump->tree.root ? err :
					 fail(err == -ENOENT ? -ESRCH : err, "there is no process %d to dump", pid);
	tree_add(&dump->tree, &dt->t, parent ? &parent->t : NULL);
	err = hash_put_ptr(&dump->task_by_pid, pid, dt);
	if (err < 0)
		return fail(err, "task %d", pid);
	*ret_task = dt;
	return 0;
}

/*
 * A process that has no children, and all of whose threads are stopped, cannot get any: it creates none itself, its
 * children could not create siblings (CLONE_PARENT), and orphans come from descendants. A stopped thread creates no
 * children. One that had none gets none later, except orphans, which go to the first thread that has not exited: the
 * leader, as long as we trace it (find_alive_thread() of the kernel).
 */
static int list_stopped(const struct dump *dump, struct dump_task *dt, struct pid_array *pids)
{
	struct pid_array tids = { 0 };
	size_t before = pids->n;
	bool leader_lives = false;
	int err = 0;

	for (size_t i = 0; i < dt->nr_threads; i++)
		leader_lives |= dt->threads[i].id.host_tid == dt->t.host_pid;
	for (size_t i = 0; !err && i < dt->nr_threads; i++) {
		const struct dump_thread *th = &dt->threads[i];

		if (!th->childless || !leader_lives || th->id.host_tid == dt->t.host_pid)
			err = array_add(&tids, th->id.host_tid);
	}
	if (!err && tids.n)
		err = proc_children_of(&dt->proc, &tids, pids);
	for (size_t i = 0; !err && pids->n == before && i < dt->nr_threads; i++)
		dt->threads[i].childless = true;
	/* Except for the root: as the first process of a pid namespace it gets orphans of unrelated processes, too. */
	dt->childless = !err && pids->n == before && dt->all_stopped && &dt->t != dump->tree.root;
	array_free(&tids);
	return err;
}

/* The stopped threads are all there are, or there will be another pass. While the tree runs: all current ones. */
static int list_children(const struct dump *dump, struct dump_task *dt, struct pid_array *pids)
{
	return dt->nr_threads ? list_stopped(dump, dt, pids) : proc_children(&dt->proc, pids);
}

int dump_add_children(struct dump *dump, struct dump_task *dt)
{
	struct pid_array pids = { 0 };
	int added = 0, err = dt->childless ? 0 : list_children(dump, dt, &pids);

	if (err == -ESRCH || err == -ENOENT) {
		array_free(&pids);
		return 0;
	}
	for (size_t i = 0; err >= 0 && i < pids.n; i++) {
		struct dump_task *child;

		if (dump_find_task(dump, pids.v[i]))
			continue;
		err = dump_add_task(dump, pids.v[i], dt, &child);
		if (err == -ENOENT || err == -ESRCH)
			err = 0; /* reaped meanwhile */
		else
			added++;
	}
	array_free(&pids);
	return err < 0 ? err : added;
}

void dump_drop_task(struct dump *dump, struct dump_task *dt)
{
	hash_del(&dump->task_by_pid, dt->t.host_pid);
	list_del(&dt->t.in_tree);
	list_del(&dt->t.sibling);
	proc_close(&dt->proc);
	dump->tree.nr_tasks--;
}

int dump_read_stat(struct dump_task *dt)
{
	int err = proc_stat_read(&dt->proc, &dt->stat);

	if (err < 0)
		return err;
	dt->t.ppid = dt->stat.ppid;
	dt->t.pgid = dt->stat.pgid;
	dt->t.sid = dt->stat.sid;
	dt->t.exit_code = dt->stat.exit_code;
	dt->t.exit_signal = dt->stat.exit_signal;
	memcpy(dt->t.comm, dt->stat.comm, sizeof(dt->t.comm) - 1);
	return 0;
}

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

int dump_ask_of(struct dump_task *dt, pid_t tid)
{
	struct proc thread = PROC_CLOSED;
	struct proc_stat stat;
	int err = proc_open(tid, &thread);

	if (err < 0)
		return fail(err, "open /proc/%d", tid);
	proc_close(&dt->proc);
	dt->proc = thread;
	err = proc_stat_read(&dt->proc, &stat);
	if (err < 0)
		return fail(err, "read /proc/%d/stat", tid);
	/* The mm fields are those of the process, the name is that of its first thread. */
	memcpy(stat.comm, dt->stat.comm, sizeof(stat.comm));
	dt->stat = stat;
	dt->leader_ended = true;
	dt->t.host_pid = tid;
	dt->pidfd = sys_pidfd_open(tid, PIDFD_THREAD);
	if (dt->pidfd == -EINVAL)
		return fail(
			-EOPNOTSUPP,
			"process %d is running without its first thread, which has exited: saving that needs Linux 6.9 or later (PIDFD_THREAD)",
			dt->t.pid);
	return dt->pidfd < 0 ? fail(dt->pidfd, "pidfd of %d", tid) : 0;
}

static int cannot_compare(const struct dump_task *dt, int err)
{
	return fail(err,
		    err == -ENOSYS ? "kcmp(2): the kernel was built without CONFIG_KCMP" :
				     "kcmp(2): process %d may not be inspected: it has capabilities that criu lacks",
		    dt->t.host_pid);
}

/*
 * An object of a task: identified by its address, if kernel memory has been read, or compared with those of other
 * tasks.
 */
struct seen {
	struct kcmp_set compared;
	struct hash by_address;
	uint32_t nr;
};

static int find_address(struct seen *seen, uint64_t address, struct kcmp_found *ret)
{
	uint64_t id;

	if (hash_get(&seen->by_address, address, &id)) {
		*ret = (struct kcmp_found){ .id = (uint32_t)id };
		return 0;
	}
	*ret = (struct kcmp_found){ .id = ++seen->nr, .fresh = true };
	return hash_put(&seen->by_address, address, ret->id);
}

static int find_one(struct seen *seen, const struct dump_task *dt, enum kcmp_what what, struct kcmp_found *ret)
{
	const struct kernel_task *k = dt->kernel;
	const uint64_t addresses[] = {
		[KCMP_WHAT_VM] = k ? k->mm : 0,
		[KCMP_WHAT_FILES] = k ? k->files : 0,
		[KCMP_WHAT_FS] = k ? k->fs : 0,
		[KCMP_WHAT_SIGHAND] = k ? k->sighand : 0,
	};

	if (k)
		return find_address(seen, addresses[what], ret);
	seen->compared.what = what;
	/* Signal handlers are shared only within one memory, which is known by then: clone(2) CLONE_SIGHAND. */
	return kcmp_set_id(&seen->compared, what == KCMP_WHAT_SIGHAND ? dt->t.ids.vm : 0, dt->t.host_pid, 0, ret);
}

static int find_all(struct dump *dump, struct seen seen[4], struct dump_task *dt)
{
	static const enum kcmp_what what[4] = { KCMP_WHAT_VM, KCMP_WHAT_FILES, KCMP_WHAT_FS, KCMP_WHAT_SIGHAND };
	uint32_t *ids[4] = { &dt->t.ids.vm, &dt->t.ids.files, &dt->t.ids.fs, &dt->t.ids.sighand };
	bool *owners[4] = { &dt->mm_owner, &dt->files_owner, &dt->fs_owner, &dt->sighand_owner };
	int err = 0;

	for (int i = 0; !err && dt->t.state != TASK_DEAD && i < 4; i++) {
		struct kcmp_found found;

		err = find_one(&seen[i], dt, what[i], &found);
		if (err == -ESRCH && dump_is_check(dump)) {
			dt->t.state = TASK_DEAD;
			return 0;
		}
		if (err < 0)
			return cannot_compare(dt, err);
		/* In CRIU's numbering, 1 is the tool's own. */
		*ids[i] = found.id + 1;
		*owners[i] = found.fresh;
	}
	return err;
}

/* A table that two processes share is read once. Kernel memory has been read for all of them, or for none. */
int dump_find_shared(struct dump *dump)
{
	struct seen seen[4] = { 0 };
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump)
		if (!err)
			err = find_all(dump, seen, dt);
	for (int i = 0; i < 4; i++) {
		kcmp_set_free(&seen[i].compared);
		hash_free(&seen[i].by_address);
	}
	return err;
}
