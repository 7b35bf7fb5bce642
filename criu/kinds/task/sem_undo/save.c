// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "internal.h"
#include "kernel/kcmp.h"
#include "kernel/sem.h"
#include "kinds/kinds.h"
#include "run/ipc_ns.h"
#include "kinds/task/core_image.h"
#include "parasite_blob.h"
#include "run/dump.h"
#include "util/log.h"
#include "util/proc_root.h"

/* -32768 is more than any semaphore contains: an array that ends with it never succeeds. */
#define NEVER (-UNDO_MAX - 1)

/* All sets of one IPC namespace. */
struct sem_sets {
	struct sem_sets *next;
	uint32_t ino; /* of the namespace; 0: this kernel has none */
	bool own; /* the tool's */
	struct sem_set_array sets;
	unsigned ops_max;
};

ARRAY_OF(undo_array, SemUndoEntry *);

/* The undo list of one thread, kept for the duration of the dump. */
struct thread_undo {
	struct undo_array entries;
	bool own; /* not the one of the main thread */
};

/* A query of one thread about one set. */
struct query {
	struct dump *dump;
	struct dump_task *task;
	struct dump_thread *thread;
	struct undo_caller caller;
	const struct sem_sets *sets;
	const struct sem_set *set;
	bool forbidden;
};

static void free_sets(void *arg)
{
	struct sem_sets *s = arg;

	array_free(&s->sets);
}

static void free_undo(void *arg)
{
	struct thread_undo *u = arg;

	array_free(&u->entries);
}

static int read_sets(void *arg)
{
	struct sem_sets *s = arg;
	/* Sets that we cannot query are ignored: without permission to read them. */
	int unreadable, err = sem_sets_read(&s->sets, &unreadable);

	/* A kernel may be built without System V IPC. */
	if (err == -ENOSYS)
		err = 0;
	s->ops_max = s->sets.n ? MIN_OF(sem_ops_max(), (unsigned)UNDO_OPS) : 0;
	return err;
}

static int call_inside(const struct sem_sets *s, const struct dump_task *task, int (*fn)(void *arg), void *arg)
{
	return s->own ? fn(arg) : ipc_ns_enter(task, fn, arg);
}

static int namespace_of(const struct dump_task *task, uint32_t *ret_ino)
{
	int err = proc_ns_ino(&task->proc, PROC_NS_IPC, ret_ino);

	if (err == -ENOENT)
		*ret_ino = 0;
	return err && err != -ENOENT ? fail(err, "read /proc/%d/ns/ipc", task->t.host_pid) : 0;
}

static bool is_own(uint32_t ino)
{
	struct stat st;

	return !ino || (!fstatat(proc_root(), "self/ns/ipc", &st, 0) && st.st_ino == ino);
}

static int find_sets(struct dump *dump, const struct dump_task *task, const struct sem_sets **ret)
{
	void **data = dump_kind_data(dump, &sem_undo_run);
	struct sem_sets *s = *data;
	uint32_t ino;
	int err = namespace_of(task, &ino);

	if (err)
		return err;
	while (s && s->ino != ino)
		s = s->next;
	if (!s) {
		s = dump_alloc(dump, sizeof(*s));
		if (!s || arena_defer(&dump->arena, free_sets, s))
			return no_memory("semaphores");
		s->ino = ino;
		s->own = is_own(ino);
		err = call_inside(s, task, read_sets, s);
		s->next = *data;
		*data = s;
	}
	*ret = s;
	return err ? fail(err, "list the semaphore sets") : 0;
}

struct semaphore {
	int set;
	unsigned num;
	unsigned value;
};

static int read_value(void *arg)
{
	struct semaphore *s = arg;

	return sem_value(s->set, s->num, &s->value);
}

/* ---- what the value is ---- */

/* Would the undo value overflow if this were added to it (-ERANGE)? 0: no. */
static int try_array(struct query *q, unsigned num, struct sembuf *ops, unsigned n)
{
	bool called;
	int err;

	ops[n++] = (struct sembuf){ .sem_num = (unsigned short)num, .sem_op = NEVER, .sem_flg = IPC_NOWAIT };
	err = undo_semop(&q->caller, q->set->id, ops, n, &called);
	if (!called)
		return fail(err, "query the undo values of thread %d: %s", q->thread->id.host_tid,
			    compel_error(q->caller.ctl));
	if (err == -EAGAIN || err == -EINVAL || err == -EIDRM)
		return 0; /* the set may have been removed in the meantime */
	if (err == -EACCES) {
		q->forbidden = true;
		return 0;
	}
	return err == -ERANGE ? err : fail(err ? err : -EPROTO, "semaphore set %d: query undo values", q->set->id);
}

static unsigned value_of(const struct query *q, unsigned num)
{
	struct semaphore s = { q->set->id, num, 0 };

	call_inside(q->sets, q->task, read_value, &s);
	return s.value;
}

static int try_one(struct query *q, unsigned num, int by)
{
	struct sembuf ops[UNDO_STEPS + 1] = { 0 };

	return try_array(q, num, ops, undo_steps(ops, num, by, value_of(q, num)));
}

/* With @sign 1: is it at least @n (-ERANGE)? With -1: is it at most -@n? */
static int try_at_least(struct query *q, unsigned num, int sign, int n)
{
	int out = sign > 0 ? UNDO_MAX + 1 - n : -(UNDO_MAX + 2 - n);

	return try_one(q, num, out);
}

/* Locks have the value 1. */
static int find_value(struct query *q, unsigned num, int *ret)
{
	int sign = 1, low = 1, high = UNDO_MAX + 1, probe = 2;
	int err = try_at_least(q, num, sign, 1);

	if (!err) {
		sign = -1;
		err = try_at_least(q, num, sign, 1);
	}
	if (err != -ERANGE)
		return err; /* 0, too */
	/* low: it is at least this; high: it is less than this. */
	high += sign < 0;
	while (low + 1 < high) {
		err = try_at_least(q, num, sign, probe);
		if (err && err != -ERANGE)
			return err;
		if (err)
			low = probe;
		else
			high = probe;
		probe = low + (high - low) / 2;
	}
	*ret = sign * low;
	return 0;
}

static int add_value(struct query *q, unsigned num, int adj)
{
	SemUndoEntry *e = dump_alloc(q->dump, sizeof(*e));
	struct semaphore s = { q->set->id, num, 0 };

	if (!e || array_add(&q->thread->undo->entries, e))
		return no_memory("undo values");
	sem_undo_entry__init(e);
	e->semid = q->set->id;
	e->num = num;
	e->adj = adj;
	e->key = q->set->key;
	e->has_value = !call_inside(q->sets, q->task, read_value, &s);
	e->value = e->has_value ? s.value : 0;
	e->has_running = e->running = q->dump->opts->leave_running || q->dump->opts->leave_stopped;
	log_debug("thread %d: semaphore %u of set %d: undo value %d", q->thread->id.host_tid, num, q->set->id, adj);
	return 0;
}

/* -ERANGE: one of them has an undo value. */
static int try_some(struct query *q, unsigned first, unsigned nr)
{
	struct sembuf ops[UNDO_OPS] = { 0 };
	int err = 0;

	for (int sign = 1; !err && sign >= -1; sign -= 2) {
		unsigned n = 0;

		for (unsigned num = first; num < first + nr; num++)
			n += undo_steps(ops + n, num, sign > 0 ? UNDO_MAX : -UNDO_MAX - 1, value_of(q, num));
		err = try_array(q, first, ops, n);
	}
	return err;
}

static int query_one(struct query *q, unsigned num)
{
	int adj = 0, err = find_value(q, num, &adj);

	return !err && adj ? add_value(q, num, adj) : err;
}

/*
 * Normally none of them has one; otherwise one half has, and so on: no deeper than the logarithm of the size of an
 * array.
 */
static int query_some(struct query *q, unsigned first, unsigned nr)
{
	int err = try_some(q, first, nr);

	if (err != -ERANGE)
		return err;
	if (nr == 1)
		return query_one(q, first);
	err = query_some(q, first, nr / 2);
	return err ? err : query_some(q, first + nr / 2, nr - nr / 2);
}

/*
 * It has no permission to change the set (any more), so nothing can be determined or restored; but it has changed it.
 */
static int report_forbidden(void *arg)
{
	const struct query *q = arg;

	for (unsigned num = 0; num < q->set->nr; num++) {
		pid_t pid;

		if (sem_last_pid(q->set->id, num, &pid) || pid != q->task->t.host_pid)
			continue;
		dump_blocker(
			q->dump, q->task, -1,
			"may have undo values (SEM_UNDO) for semaphore set %d, which it has changed and has no permission to "
			"change any more: they cannot be saved",
			q->set->id);
		return 0;
	}
	return 0;
}

static int query_set(struct query *q, unsigned ops_max)
{
	unsigned at_once = (ops_max - 1) / UNDO_STEPS;
	int err = 0;

	if (!at_once)
		return fail(-EOPNOTSUPP,
			    "undo values of semaphores: semop(2) accepts only %u operations (sysctl kernel.sem)",
			    ops_max);
	for (unsigned num = 0; !err && !q->forbidden && num < q->set->nr; num += at_once)
		err = query_some(q, num, MIN_OF(at_once, q->set->nr - num));
	if (!err && q->forbidden)
		err = call_inside(q->sets, q->task, report_forbidden, q);
	return err;
}

/* ---- the owner of a list ---- */

static bool same_list(pid_t a, pid_t b)
{
	return sys_kcmp(a, b, KCMP_WHAT_SYSVSEM, 0, 0) == 0;
}

/* Another thread with this list, which has been queried. */
static struct dump_thread *find_owner(struct dump *dump, pid_t tid, struct dump_task **ret_task)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		for (size_t i = 0; i < dt->nr_threads; i++)
			if (dt->threads[i].undo && same_list(dt->threads[i].id.host_tid, tid)) {
				*ret_task = dt;
				return &dt->threads[i];
			}
	return NULL;
}

static int query_thread(struct dump *dump, struct dump_task *dt, struct dump_thread *th, const struct sem_sets *sets)
{
	struct query q = { .dump = dump, .task = dt, .thread = th, .sets = sets };
	struct thread_undo *undo = dump_alloc(dump, sizeof(*undo));
	int err = 0;

	if (!undo || arena_defer(&dump->arena, free_undo, undo))
		return no_memory("undo values");
	undo->own = th != dt->threads;
	th->undo = undo;
	q.caller = (struct undo_caller){ dt->ctl, dt->threads[0].id.host_tid, th->id.host_tid,
					 compel_args_address(dt->ctl) };
	for (size_t i = 0; !err && i < sets->sets.n; i++) {
		q.set = &sets->sets.v[i];
		q.forbidden = false;
		/* Without semop(2) there is nothing to undo. */
		if (q.set->used)
			err = query_set(&q, sets->ops_max);
	}
	return err;
}

/* Threads normally share one list (CLONE_SYSVSEM); a process that has never used it has none. */
static int sem_undo_in_target(struct dump *dump, struct dump_task *task)
{
	const pid_t leader = task->threads[0].id.host_tid;
	const struct sem_sets *sets = NULL;
	int err = find_sets(dump, task, &sets);

	for (size_t i = 0; !err && sets->sets.n && i < task->nr_threads; i++) {
		struct dump_thread *th = &task->threads[i], *owner;
		struct dump_task *other;

		if (i && same_list(leader, th->id.host_tid))
			continue;
		/* No list: we have none either. */
		if (same_list(getpid(), th->id.host_tid))
			continue;
		owner = find_owner(dump, th->id.host_tid, &other);
		if (!owner)
			err = query_thread(dump, task, th, sets);
		else if (owner->undo->entries.n)
			dump_blocker(
				dump, task, -1,
				"thread %d shares undo values of semaphores (CLONE_SYSVSEM) with thread %d of process "
				"%d, which is not supported",
				th->id.host_tid, owner->id.host_tid, other->t.host_pid);
	}
	return err;
}

static int sem_undo_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	struct thread_undo *undo = thread->undo;

	if (!undo)
		return 0;
	core->thread_core->sem_undo = undo->entries.v;
	core->thread_core->n_sem_undo = undo->entries.n;
	core->thread_core->has_sem_undo_own = core->thread_core->sem_undo_own = undo->own;
	return 0;
}

/* ---- ending the tree ---- */

static void drop_value(const struct dump_task *task, const struct undo_caller *caller, const SemUndoEntry *e)
{
	struct sembuf ops[UNDO_STEPS];
	struct semaphore s = { e->semid, e->num, 0 };
	bool called;
	int err;

	ipc_ns_of_task(task, read_value, &s);
	err = undo_semop(caller, e->semid, ops, undo_steps(ops, e->num, -e->adj, s.value), &called);
	if (err && err != -EIDRM && err != -EINVAL)
		log_warn("pid %d: the undo value %d of semaphore %u of set %d will be applied: %s", caller->leader,
			 e->adj, e->num, e->semid, strerror(-err));
}

static bool has_values(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (dt->threads[i].undo && dt->threads[i].undo->entries.n)
			return true;
	return false;
}

static int drop_values(struct dump_task *dt)
{
	struct undo_caller caller = { .leader = dt->threads[0].id.host_tid };
	int err = compel_open(caller.leader, &caller.ctl);

	if (!err)
		err = compel_infect(caller.ctl, &parasite_blob, TASK_KIND_ARGS);
	if (!err)
		caller.scratch = compel_args_address(caller.ctl);
	/* It must not continue without them. */
	if (!err)
		err = compel_die_with_us(caller.leader);
	for (size_t i = 0; !err && i < dt->nr_threads; i++) {
		const struct thread_undo *undo = dt->threads[i].undo;

		caller.tid = dt->threads[i].id.host_tid;
		for (size_t j = 0; undo && j < undo->entries.n; j++)
			drop_value(dt, &caller, undo->entries.v[j]);
	}
	compel_cure(caller.ctl);
	return err;
}

/* A restored tree will hold its semaphores again: no other process may get them in between. */
static void sem_undo_before_kill(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		int err = has_values(dt) ? drop_values(dt) : 0;

		if (err)
			log_warn("pid %d: its undo values of semaphores will be applied: %s", dt->t.host_pid,
				 strerror(-err));
	}
}

/* ---- the kind ---- */

const struct task_kind sem_undo_kind = {
	.name = "sem_undo",
	.in_target = sem_undo_in_target,
	.save_thread = sem_undo_save_thread,
	.load_thread = sem_undo_load_thread,
};

const struct run_kind sem_undo_run = {
	.name = "sem_undo",
	.before_kill = sem_undo_before_kill,
	.link = sem_undo_link,
	.before_commit = sem_undo_before_commit,
};
