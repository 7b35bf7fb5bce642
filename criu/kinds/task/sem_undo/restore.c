// SPDX-License-Identifier: GPL-2.0-only
/*
 * Undo values are restored in the last step that may fail: a task that is killed would apply them.
 *
 * A tree that was killed by the dump left its semaphores unchanged, without undo values: only these are restored. One
 * that was left running, or whose exit applied its undo values (the dumper was killed in between), has to repeat its
 * operations on the semaphores, which fails if another process has acquired them.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include "internal.h"
#include "kernel/sem.h"
#include "kinds/kinds.h"
#include "kinds/task/core_image.h"
#include "run/restore.h"
#include "util/log.h"

/* What has been restored in one task: its threads in order, their values in order. */
struct restored {
	size_t thread, entry;
};

/* NULL: the tool's own, in which other processes use the semaphores as well. */
static const struct ns *new_namespace(const struct restore_task *rt)
{
	return rt->ns[NS_IPC] && !rt->ns[NS_IPC]->own ? rt->ns[NS_IPC] : NULL;
}

static int check_entry(const struct restore_task *rt, pid_t tid, const SemUndoEntry *e)
{
	struct sem_set set;
	int err;

	if (e->semid < 0 || e->num > UINT16_MAX || !e->adj || e->adj < -UNDO_MAX - 1 || e->adj > UNDO_MAX)
		return core_refuse(tid, "thread_core.sem_undo: %d for semaphore %u of set %d", e->adj, e->num,
				   e->semid);
	/* Its semaphores will be created: sem_undo_link(). */
	if (new_namespace(rt))
		return 0;
	err = sem_set_stat(e->semid, &set);
	if (err == -EACCES)
		return 0;
	if (!err && (set.key != e->key || e->num >= set.nr))
		err = -EIDRM;
	if (err)
		return fail(
			err,
			"core-%d.img: the thread has an undo value (SEM_UNDO) of semaphore %u of set %d, key 0x%x, "
			"which does not exist here (any more): recreate it (ipcmk, ipcs), or restore where it exists",
			tid, e->num, e->semid, e->key);
	return 0;
}

int sem_undo_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	int err = 0;

	for (size_t i = 0; tce && !err && i < tce->n_sem_undo; i++)
		err = check_entry(task, thread->id.tid, tce->sem_undo[i]);
	return err;
}

static int link_thread(const struct ns *ns, const struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	unsigned value;

	for (size_t i = 0; tce && i < tce->n_sem_undo; i++) {
		const SemUndoEntry *e = tce->sem_undo[i];

		if (!ipc_ns_sem_value(ns, e->semid, e->num, &value))
			return fail(
				-EBADMSG,
				"core-%d.img: the thread has an undo value (SEM_UNDO) of semaphore %u of set %d, which is not in ipcns-sem-%u.img",
				thread->id.tid, e->num, e->semid, ns->id);
	}
	return 0;
}

int sem_undo_link(struct restore *r)
{
	const struct restore_task *rt;
	int err = 0;

	restore_for_each_task(rt, r) {
		const struct ns *ns = new_namespace(rt);

		for (size_t i = 0; ns && !err && i < rt->nr_threads; i++)
			err = link_thread(ns, &rt->threads[i]);
	}
	return err;
}

static bool has_work(const struct restore_task *rt)
{
	for (size_t i = 0; rt->t.state != TASK_DEAD && i < rt->nr_threads; i++) {
		const ThreadCoreEntry *tce = rt->threads[i].core->thread_core;

		if (tce && (tce->n_sem_undo || tce->sem_undo_own))
			return true;
	}
	return false;
}

/* Have the task's operations been undone already, by its exit, or will they be? */
static bool is_undone(const struct restore_task *rt, const SemUndoEntry *e)
{
	unsigned now = 0;
	pid_t pid = 0;

	/* The semaphore has been created with its value at the dump. */
	if (new_namespace(rt))
		return false;
	if (e->running)
		return true;
	if (!e->has_value || sem_value(e->semid, e->num, &now) || sem_last_pid(e->semid, e->num, &pid))
		return false;
	if (now == e->value)
		return false;
	if ((int)now == (int)e->value + e->adj && pid == rt->t.pid)
		return true;
	log_warn("pid %d: semaphore %u of set %d was %u when this process was dumped, and is now %u, last changed by "
		 "process %d: its undo value %d is restored all the same",
		 rt->t.pid, e->num, e->semid, e->value, now, pid, e->adj);
	return false;
}

static int repeat_change(const struct undo_caller *caller, const struct restore_task *rt, const SemUndoEntry *e)
{
	struct sembuf op = { .sem_num = (unsigned short)e->num,
			     .sem_op = (short)-e->adj,
			     .sem_flg = SEM_UNDO | IPC_NOWAIT };
	bool called;
	pid_t holder = 0;
	int err = e->adj < -UNDO_MAX ? -ERANGE : undo_semop(caller, e->semid, &op, 1, &called);

	if (!err)
		return 0;
	sem_last_pid(e->semid, e->num, &holder);
	if (err == -EAGAIN)
		return fail(
			err,
			"pid %d: held semaphore %u of set %d when it was dumped, and was left running: it cannot be acquired "
			"again, as another process has it now (process %d was the last to change it)",
			rt->t.pid, e->num, e->semid, holder);
	return fail(err, "pid %d: semaphore %u of set %d: repeat %d with SEM_UNDO", rt->t.pid, e->num, e->semid,
		    -e->adj);
}

static int change_value(const struct undo_caller *caller, const struct restore_task *rt, const SemUndoEntry *e, int by)
{
	struct sembuf ops[UNDO_STEPS];
	unsigned value = 0;
	bool called;
	int err;

	if (new_namespace(rt))
		ipc_ns_sem_value(new_namespace(rt), e->semid, e->num, &value);
	else
		sem_value(e->semid, e->num, &value);
	err = undo_semop(caller, e->semid, ops, undo_steps(ops, e->num, by, value), &called);
	return err ? fail(err, "pid %d: semaphore %u of set %d: set the undo value %d%s", rt->t.pid, e->num, e->semid,
			  e->adj, err == -EACCES ? ": the process has no permission to change it" : "") :
		     0;
}

static int restore_thread_values(struct undo_caller *caller, const struct restore_task *rt, struct restored *at)
{
	const ThreadCoreEntry *tce = rt->threads[at->thread].core->thread_core;
	bool called;
	int err = 0;

	caller->tid = rt->threads[at->thread].id.host_tid;
	if (tce->sem_undo_own && at->thread)
		err = undo_call(caller, SYS_unshare, (unsigned long[6]){ CLONE_SYSVSEM }, &called);
	if (err)
		return fail(err, "thread %d: unshare the undo list", rt->threads[at->thread].id.tid);
	for (at->entry = 0; !err && at->entry < tce->n_sem_undo; at->entry++) {
		SemUndoEntry *e = tce->sem_undo[at->entry];

		/* Recorded: this one is dropped with the task if the restore fails. */
		e->running = is_undone(rt, e);
		err = e->running ? repeat_change(caller, rt, e) : change_value(caller, rt, e, e->adj);
		if (err)
			return err;
	}
	return 0;
}

static int enter(struct restore *r, const struct restore_task *rt, struct undo_caller *caller)
{
	caller->leader = rt->threads[0].id.host_tid;
	return restore_enter(r, rt, &caller->ctl, &caller->scratch);
}

/* Undo values that were restored alone are removed alone: the semaphores are as before the restore. */
static void undo_restore(struct restore *r, const struct restore_task *rt, const struct restored *end)
{
	struct undo_caller caller = { 0 };
	int err = enter(r, rt, &caller);

	for (size_t i = 0; !err && i <= end->thread && i < rt->nr_threads; i++) {
		const ThreadCoreEntry *tce = rt->threads[i].core->thread_core;
		size_t n = i < end->thread ? tce->n_sem_undo : end->entry;

		caller.tid = rt->threads[i].id.host_tid;
		for (size_t j = 0; j < n; j++)
			if (!tce->sem_undo[j]->running)
				change_value(&caller, rt, tce->sem_undo[j], -tce->sem_undo[j]->adj);
	}
	if (err)
		log_warn("pid %d: its undo values of semaphores will be applied: %s", rt->t.pid, strerror(-err));
	compel_cure(caller.ctl);
}

static int restore_task_values(struct restore *r, const struct restore_task *rt, struct restored *at)
{
	struct undo_caller caller = { 0 };
	int cured, err = enter(r, rt, &caller);

	if (err)
		fail(err, "pid %d: make system calls in the task", rt->t.pid);
	for (at->thread = 0; !err && at->thread < rt->nr_threads; at->thread++) {
		err = restore_thread_values(&caller, rt, at);
		if (err)
			break;
	}
	cured = caller.ctl ? compel_cure(caller.ctl) : 0;
	return err ? err : cured ? fail(cured, "pid %d: leave the task", rt->t.pid) : 0;
}

int sem_undo_before_commit(struct restore *r)
{
	struct restore_task *rt, *failed = NULL;
	struct restored at = { 0 }, all = { .thread = SIZE_MAX };
	int err = 0;

	restore_for_each_task(rt, r) {
		if (!has_work(rt))
			continue;
		err = restore_task_values(r, rt, &at);
		failed = rt;
		if (err)
			break;
	}
	if (!err)
		return 0;
	restore_for_each_task(rt, r) {
		if (has_work(rt))
			undo_restore(r, rt, rt == failed ? &at : &all);
		if (rt == failed)
			break;
	}
	return err;
}
