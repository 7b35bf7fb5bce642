/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where an orphan would be adopted by a process of the tree (pid 1 of its pid namespace, a child subreaper), the copies
 * of a short freeze are children of the processes that they are copies of: they send no exit signal, and wait(2) does
 * not see them without __WALL or __WCLONE. When its pages are saved, such a copy is killed while all threads of its
 * parent are stopped, and the parent waits for it already, in code of ours: it never runs with a zombie, whoever dies. If
 * the parent has exited meanwhile, its copy has been adopted; the adopter is stopped in the same way, and keeps its
 * SIGCHLD, as it may come from another child.
 *
 * When the dumper is killed its copies remain (pie/parasite/fork.c). A guard process that waits for that
 * (helper_process.h) knows their pids, and does the same; the copy that was being created it finds by its name. If the
 * dumper was in the pid namespace whose pid 1 belongs to the tree, the guard is adopted by that pid 1 when the dumper
 * dies, and has it reap the guard itself in the same way (reap_ourselves_in). If the guard is killed as well, the copies
 * exit, and are zombies until their parents exit. In another pid namespace than ours a copy does not see the guard, but a
 * process that the guard has started there (beacon.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dump/beacon.h"
#include "dump/dump.h"
#include "dump/stop_memory.h"
#include "kernel/pid_ns.h"
#include "memory/memory.h"
#include "memory/reap.h"
#include "pie/wire.h"
#include "run/helper_process.h"
#include "util/log.h"

#define ADOPTED_TRIES 3
/* While there are other pages to save, and when there is nothing else left to do: all threads of the process wait as long. */
#define SHORT_PATIENCE_US 30000u
#define PATIENCE_US 3200000u
#define PAUSE_US 1000
#define END_LOOK_US 50
#define LONGEST_PAUSE_US 200000
/* include/linux/sched.h: field flags of /proc/PID/stat. */
#define PF_EXITING 0x4

/* Shared by the dumper and the guard. */
struct copy_list {
	_Atomic pid_t making; /* the process that a copy is being made of; 0: none */
	_Atomic pid_t awaited; /* the copy that its parent is waiting for, in code of ours; 0: none */
	size_t nr; /* slots */
	_Atomic pid_t pids[]; /* of copies; 0: free */
};

struct copy_guard {
	struct helper_process process;
	int alive[2]; /* a pipe: [1] is open as long as the dumper lives */
	struct copy_list *copies;
	struct beacon beacon; /* in the pid namespace of the tree, if that is not ours */
	bool copies_left; /* the dumper failed to reap some */
};

/* ---- the list of copies ---- */

static void replace_in_list(struct copy_list *list, pid_t from, pid_t to)
{
	for (size_t i = 0; i < list->nr; i++)
		if (atomic_load(&list->pids[i]) == from) {
			atomic_store(&list->pids[i], to);
			return;
		}
}

static bool has_ended(const struct dump_task *dt)
{
	struct proc_stat stat;

	return proc_stat_read(&dt->proc, &stat) < 0 || strchr("ZX", stat.state);
}

/* A copy that the dumper has not noted yet is a child of what it was made of, or of what has adopted it since. */
static bool may_be_copy(struct dump *dump, const struct dump_task *parent, pid_t pid)
{
	const struct copy_list *list = dump->copy_guard->copies;
	const pid_t making = atomic_load(&list->making);
	const struct dump_task *of = making ? dump_find_task(dump, making) : NULL;

	for (size_t i = 0; i < list->nr; i++)
		if (atomic_load(&list->pids[i]) == pid)
			return true;
	return of && (of == parent || has_ended(of));
}

void dump_note_copy(struct dump *dump, const struct dump_task *dt)
{
	if (!dump->copy_guard)
		return;
	if (memory_snapshot_child(dt))
		replace_in_list(dump->copy_guard->copies, 0, memory_snapshot_child(dt));
	atomic_store(&dump->copy_guard->copies->making, 0);
}

/* ---- the parent of a copy ---- */

/* -ENOENT: not a process of the tree. */
static int find_parent(struct dump *dump, pid_t child, struct dump_task **ret_parent)
{
	struct proc proc = PROC_CLOSED;
	struct dump_task *dt;
	struct proc_stat stat;
	int err = proc_open(child, &proc);

	if (!err)
		err = proc_stat_read(&proc, &stat);
	proc_close(&proc);
	if (err)
		return err;
	dump_for_each_task(dt, dump)
		if (dt->t.state != TASK_DEAD && stat.ppid == (dt->leader_ended ? dt->t.pid : dt->t.host_pid)) {
			*ret_parent = dt;
			return 0;
		}
	return -ENOENT;
}

static void drop_copy(void *dt)
{
	memory_drop_snapshot(dt);
}

/* Its parent is stopped; @dt is the process that was copied. -EAGAIN: it has been reparented meanwhile. */
static int end_with_parent(struct dump *dump, struct dump_task *dt, struct dump_task *parent)
{
	struct dump_task *now = NULL;
	const struct reaped copy = { memory_snapshot_child(dt), memory_snapshot_child_inside(dt) };
	const struct reaping r = { copy, parent == dt, drop_copy, dt,
				   dump->copy_guard ? &dump->copy_guard->copies->awaited : NULL };
	int err = find_parent(dump, copy.pid, &now);

	if (!err)
		return now == parent ? reap_in(parent->threads[0].id.host_tid, &r) : -EAGAIN;
	memory_drop_snapshot(dt);
	return err == -ENOENT ? 0 : err;
}

/* The init has been killed, and with it all copies; it waits until we have waited for them, and cannot be stopped. */
static bool namespace_ends(struct dump *dump)
{
	struct proc_stat stat;

	return dump->pid_ns >= 0 &&
	       (proc_stat_read(&dump_task_of(dump->tree.root)->proc, &stat) || (stat.flags & PF_EXITING));
}

static int end_child(struct dump *dump, struct dump_task *dt, uint64_t patience_us)
{
	int err = -EAGAIN;

	if (namespace_ends(dump)) {
		memory_drop_snapshot(dt);
		return 0;
	}
	for (int i = 0; err == -EAGAIN && memory_has_snapshot(dt) && i < ADOPTED_TRIES; i++) {
		struct dump_task *parent;

		err = find_parent(dump, memory_snapshot_child(dt), &parent);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (!dump->thawed) {
			err = end_with_parent(dump, dt, parent);
			continue;
		}
		err = dump_stop_memory(dump, parent, patience_us);
		if (!err) {
			err = end_with_parent(dump, dt, parent);
			dump_resume_memory(dump, parent);
		} else if (err == -ESRCH || err == -ENOENT) {
			err = -EAGAIN;
		}
	}
	return err;
}

static void finish_copy(struct dump *dump, struct dump_task *dt, pid_t copy, int err)
{
	if (!err) {
		memory_drop_snapshot(dt);
		if (copy && dump->copy_guard)
			replace_in_list(dump->copy_guard->copies, copy, 0);
		return;
	}
	/* Ended while its parent runs it could be noticed: it waits for the guard to end. */
	memory_leave_snapshot(dt);
	log_warn("process %d: its copy could not be reaped yet (errno %d)", dt->t.host_pid, -err);
	if (dump->copy_guard)
		dump->copy_guard->copies_left = true;
}

void dump_end_copy_soon(struct dump *dump, struct dump_task *dt)
{
	pid_t copy = memory_snapshot_child(dt);
	int err = copy ? end_child(dump, dt, SHORT_PATIENCE_US) : 0;

	/* The parent does not stop yet: the copy waits, until dump_end_copies(). */
	if (err != -ETIMEDOUT)
		finish_copy(dump, dt, copy, err);
}

static void end_copy_of(struct dump *dump, struct dump_task *dt)
{
	pid_t copy = memory_snapshot_child(dt);

	finish_copy(dump, dt, copy, copy ? end_child(dump, dt, PATIENCE_US) : 0);
}

/* ---- the guard process, for when the dumper is killed ---- */

struct guard_job {
	struct dump *dump;
	struct copy_guard *guard;
	pid_t dumper;
};

/* The dumper has detached from everything that it traced once we have been reparented. */
static void await_end_of_dumper(const struct guard_job *job)
{
	char byte;

	while (read(job->guard->alive[0], &byte, 1) < 0 && errno == EINTR)
		;
	while (getppid() == job->dumper)
		usleep(PAUSE_US); /* style: waits for a parent that is about to exit */
}

/* The process that the dumper was in may still be about to create a copy. */
static int settle_process(struct dump *dump, struct dump_task *dt)
{
	int err = dump_stop_memory(dump, dt, PATIENCE_US);

	if (err)
		return err == -ESRCH || err == -ENOENT ? 0 : err;
	err = reap_settle(dt->threads[0].id.host_tid);
	dump_resume_memory(dump, dt);
	return err;
}

static void end_copy(void *arg)
{
	const struct proc *proc = arg;
	struct proc_stat stat;

	kill(proc->pid, SIGKILL);
	do
		usleep(END_LOOK_US); /* style: a process that is not the parent is not notified of an exit */
	while (!proc_stat_read(proc, &stat) && stat.state != 'Z');
}

static int reap_child(struct dump *dump, struct dump_task *dt, pid_t child, uint64_t since)
{
	struct reaped reaped = { child, child };
	struct proc proc = PROC_CLOSED;
	struct proc_stat stat = { 0 };
	int err = proc_open(child, &proc);

	if (!err)
		err = proc_stat_read(&proc, &stat);
	if (err || strcmp(stat.comm, PARASITE_COPY_NAME) || stat.start_time < since || !may_be_copy(dump, dt, child)) {
		proc_close(&proc);
		return 0;
	}
	if (dump->pid_ns >= 0)
		err = pid_ns_inner(dump->pid_ns, child, &reaped.inside);
	if (!err)
		err = dump_stop_memory(dump, dt, PATIENCE_US);
	if (!err) {
		const struct reaping r = { reaped, stat.exit_signal == 0, end_copy, &proc, NULL };

		err = reap_in(dt->threads[0].id.host_tid, &r);
		dump_resume_memory(dump, dt);
	}
	proc_close(&proc);
	return err;
}

/* Its parent leaves our code only then. */
static void end_awaited(struct dump *dump, uint64_t since)
{
	const pid_t copy = atomic_load(&dump->copy_guard->copies->awaited);
	struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	if (!copy || proc_open(copy, &proc) < 0)
		return;
	if (!proc_stat_read(&proc, &stat) && !strcmp(stat.comm, PARASITE_COPY_NAME) && stat.start_time >= since)
		kill(copy, SIGKILL);
	proc_close(&proc);
}

static int clean_up(struct dump *dump, uint64_t since)
{
	struct dump_task *dt;
	int left = 0;

	dt = dump_find_task(dump, atomic_load(&dump->copy_guard->copies->making));
	if (dt && settle_process(dump, dt))
		left++;
	dump_for_each_task(dt, dump) {
		struct pid_array children = { 0 };

		if (dt->t.state != TASK_DEAD && proc_children(&dt->proc, &children) == 0)
			for (size_t i = 0; i < children.n; i++)
				left += reap_child(dump, dt, children.v[i], since) != 0;
		array_free(&children);
	}
	return left;
}

/* Twice in a row: a copy may be adopted, by one whose children have been listed already, while a list is gone through. */
static void clean_up_all(struct dump *dump, uint64_t since)
{
	useconds_t pause = PAUSE_US;

	end_awaited(dump, since);
	for (int quiet = 0; quiet < 2; quiet++) {
		if (!clean_up(dump, since))
			continue;
		quiet = -1;
		usleep(pause); /* style: nothing notifies us of a zombie, or of a debugger's exit */
		pause = MIN_OF(pause * 2, LONGEST_PAUSE_US);
		dump_release_attached(dump->attached);
	}
}

static void leave_parent(struct dump *dump)
{
	struct dump_task *parent = dump_find_task(dump, getppid());

	if (!parent || parent->t.state == TASK_DEAD)
		return;
	if (!dump_stop_memory(dump, parent, PATIENCE_US)) {
		reap_ourselves_in(parent->threads[0].id.host_tid);
		dump_resume_memory(dump, parent);
	}
}

static int run_guard(void *arg)
{
	struct guard_job *job = arg;
	struct dump *dump = job->dump;
	struct proc self = PROC_CLOSED;
	struct proc_stat stat = { 0 };

	if (dump->pid_ns >= 0 && beacon_start(&job->guard->beacon, dump->pid_ns, dump_task_of(dump->tree.root)))
		return 1;
	if (!proc_open_self(&self))
		proc_stat_read(&self, &stat);
	await_end_of_dumper(job);
	log_info("the dump has ended early: removing its copies of processes");
	/* Any obstacle (a debugger, a child of vfork(2)) is waited for without a limit. */
	log_set_level(LOG_SILENT);
	dump->signal_fd = -1;
	dump->thawed = true;
	clean_up_all(dump, stat.start_time);
	leave_parent(dump);
	return 0;
}

static int start_guard(struct dump *dump, struct copy_guard *g)
{
	struct guard_job own = { dump, g, getpid() };
	_cleanup_free_ int *keeps = calloc(dump->tree.nr_tasks + 4, sizeof(*keeps));
	struct helper_job job = { .run = run_guard, .arg = &own, .keeps = keeps };
	struct dump_task *dt;

	if (!keeps)
		return -ENOMEM;
	keeps[job.nr_keeps++] = g->alive[0];
	if (dump->pid_ns >= 0) {
		keeps[job.nr_keeps++] = g->beacon.ready[1];
		keeps[job.nr_keeps++] = dump->pid_ns;
	}
	if (log_fd() >= 0)
		keeps[job.nr_keeps++] = log_fd();
	dump_for_each_task(dt, dump)
		keeps[job.nr_keeps++] = dt->proc.dir;
	return helper_start(&g->process, &job);
}

static size_t list_size(size_t nr)
{
	return sizeof(struct copy_list) + nr * sizeof(pid_t);
}

static void free_guard(struct copy_guard *g)
{
	for (int i = 0; i < 2; i++)
		if (g->alive[i] >= 0)
			close(g->alive[i]);
	beacon_close(&g->beacon);
	if (g->copies)
		munmap(g->copies, list_size(g->copies->nr));
	free(g);
}

static int new_guard(size_t nr_copies, struct copy_guard **ret_guard)
{
	struct copy_guard *g = calloc(1, sizeof(*g));
	void *shared;

	if (!g)
		return -ENOMEM;
	*ret_guard = g;
	g->process = HELPER_NONE;
	g->alive[0] = g->alive[1] = -1;
	g->beacon = BEACON_NONE;
	shared = mmap(NULL, list_size(nr_copies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	g->copies = shared;
	g->copies->nr = nr_copies;
	return pipe2(g->alive, O_CLOEXEC) < 0 ? -errno : 0;
}

int dump_guard_copy(struct dump *dump, const struct dump_task *dt, pid_t *ret_guard)
{
	int err = 0;

	if (!dump->copy_guard) {
		err = new_guard(dump->tree.nr_tasks, &dump->copy_guard);
		if (!err && dump->pid_ns >= 0)
			err = beacon_prepare(&dump->copy_guard->beacon);
		if (!err)
			err = start_guard(dump, dump->copy_guard);
		if (!err && dump->pid_ns >= 0) {
			err = beacon_await(&dump->copy_guard->beacon);
			if (err)
				helper_kill(&dump->copy_guard->process);
		}
		if (err && dump->copy_guard)
			free_guard(dump->copy_guard);
		if (err)
			dump->copy_guard = NULL;
	}
	if (err)
		return err;
	atomic_store(&dump->copy_guard->copies->making, dt->t.host_pid);
	*ret_guard = dump->pid_ns < 0 ? dump->copy_guard->process.pid : dump->copy_guard->beacon.inside;
	return 0;
}

void dump_end_copies(struct dump *dump)
{
	struct copy_guard *g;
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		end_copy_of(dump, dt);
		dump_release_attached(dump->attached);
	}
	g = dump->copy_guard;
	dump->copy_guard = NULL;
	if (!g)
		return;
	/* It continues when we have ended; a copy that was not noted could neither be made nor taken away. */
	if (!g->copies_left && !atomic_load(&g->copies->making)) {
		beacon_end(&g->beacon);
		helper_kill(&g->process);
	}
	free_guard(g);
}
