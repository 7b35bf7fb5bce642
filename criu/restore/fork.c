/* SPDX-License-Identifier: GPL-2.0-only */
/* Creates the tree: every task with its own pid, in its session and group. */
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/proc_pid.h"
#include "memory/memory.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "restore/vm_peers.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "util/fds.h"
#include "util/log.h"

/* Exit statuses of a process that creates the root. */
enum { MAKER_FAILED = 1, MAKER_IN_THE_WAY };

/* Which process has the pid that we need. Tids, group ids and session ids count as in use, too. */
static int pid_taken(const struct restore *r, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	if (restore_has_pid_ns(r))
		return fail(-EEXIST, "pid %d is taken in the new pid namespace, by another process of the tree", pid);
	if (!proc_open(pid, &proc) && !proc_stat_read(&proc, &stat))
		return fail(-EEXIST, "pid %d is in use by %s (parent %d%s): " TAKEN_ADVICE, pid, stat.comm, stat.ppid,
			    stat.state == 'Z' ? ", a zombie that its parent does not reap" : "");
	return fail(
		-EEXIST,
		"pid %d is in use as the id of a process group or session: end its processes, or " TAKEN_ADVICE_ELSE,
		pid);
}

/*
 * A zombie that is about to be reaped (some inits are slow at it) is worth waiting for, and so is a process that a task of the tree
 * has created for a moment (restore/nested.c).
 */
static bool about_to_go(struct restore *r, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	/* Our /proc has other processes by these pids than the tree's namespace, where all of them are of this restore. */
	if (restore_has_pid_ns(r))
		return true;
	return proc_open(pid, &proc) || proc_stat_read(&proc, &stat) || stat.state == 'Z' || stat.state == 'X' ||
	       restore_is_number_of_tree(r, stat.ppid);
}

static long clone_once(struct restore *r, struct restore_task *rt, struct clone_args *args)
{
	long got;

	if (restore_is_vm_peer(rt))
		return vm_peer_make(r, rt, args);
	got = syscall(SYS_clone3, args, sizeof(*args));
	return got < 0 ? -errno : got;
}

static pid_t clone_with_pid(struct restore *r, struct restore_task *rt, uint64_t flags)
{
	pid_t pid = rt->t.pid, want[PID_LEVELS_MAX];
	/* With CLONE_PARENT the signal is that of the calling process: clone3(2). */
	struct clone_args args = { .flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : rt->t.exit_signal };
	_Atomic uint32_t *helpers = &r->shared->state->counts.helpers;
	long got = -1;

	args.set_tid = (uintptr_t)want;
	args.set_tid_size = restore_set_tids(rt, want);
	for (unsigned waited = 0;; waited += TAKEN_STEP_US) {
		got = clone_once(r, rt, &args);
		/* A limit of processes: threads that help to restore memory count, too. */
		if (got == -EAGAIN ? waited >= MEMORY_WAIT_US || !atomic_load(helpers) : got != -EEXIST)
			break;
		if (got == -EEXIST && (waited >= TAKEN_WAIT_US || !about_to_go(r, pid)))
			return pid_taken(r, pid);
		usleep(TAKEN_STEP_US); /* style: there is no event when another process reaps a zombie */
	}
	if (got == -EPERM)
		return fail(-EPERM, "create a task with pid %d: %s", pid, rights_text(RIGHT_SET_PIDS));
	if (got == -EINVAL)
		return fail(-EINVAL, "create a task with pid %d: larger than kernel.pid_max?", pid);
	return got < 0 ? fail((int)got, "create a task with pid %d", pid) : got;
}

static _Noreturn void run_task(struct restore *r, struct restore_task *rt);
static int task_init(struct restore *r, struct restore_task *rt);

static uint64_t clone_flags(struct restore *r, const struct restore_task *rt, const struct restore_task *by)
{
	bool root = &rt->t == r->plan.tree.root;
	bool first = (rt->starts_pid_ns && !restore_creates_pid_ns_apart(r, rt)) ||
		     (root && restore_has_pid_ns(r) && restore_pid_ns_given(r) < 0);
	uint64_t flags = first ? CLONE_NEWPID : 0;

	if (rt->as_sibling || (root && (r->opts->restore_sibling || r->process.makes_root_for_tool)))
		flags |= CLONE_PARENT;
	if (!by || rt->helper || rt->t.state == TASK_DEAD)
		return flags;
	if (by->t.ids.files == rt->t.ids.files)
		flags |= CLONE_FILES;
	if (by->t.ids.fs == rt->t.ids.fs)
		flags |= CLONE_FS;
	if (by->t.ids.sighand == rt->t.ids.sighand)
		flags |= CLONE_SIGHAND;
	return flags;
}

static int make_task(struct restore *r, struct restore_task *rt, const struct restore_task *by)
{
	int err = restore_before_fork(r, rt, by);
	pid_t pid = err ? err : clone_with_pid(r, rt, clone_flags(r, rt, by));

	if (!pid)
		run_task(r, rt);
	if (pid < 0)
		return pid;
	/* The task also reports it, but may be killed before: then it would never be noticed. */
	atomic_store(&r->shared->tasks[rt->t.index].pid, rt->t.pid);
	if (&rt->t == r->plan.tree.root)
		atomic_store(&r->shared->birth->root_pid, pid);
	err = restore_after_fork(r, rt, by);
	if (err)
		return err;
	return restore_is_vm_peer(rt) ? vm_peer_run(r, task_init) : 0;
}

/* Does it request a signal when its parent exits, with the tool, which is about to exit, as parent? */
static bool minds_our_end(const struct restore *r, const struct restore_task *root)
{
	if (!r->opts->restore_detached || r->opts->restore_sibling || r->opts->exec_cmd.n)
		return false;
	for (size_t i = 0; i < root->nr_threads; i++)
		if (root->threads[i].core->thread_core->pdeath_sig)
			return true;
	return false;
}

/* It waits until we have exited, and then has its final parent. */
static int note_maker(struct restore *r, const struct restore_task *by)
{
	if (restore_is_in_the_way(r, by))
		_exit(MAKER_IN_THE_WAY);
	r->tool.maker = sys_pidfd_open(getpid(), 0);
	return r->tool.maker < 0 ? fail(r->tool.maker, "pidfd of process %d", getpid()) : 0;
}

int restore_fork_root_inside(struct restore *r)
{
	struct restore_task *root = restore_task_of(r->plan.tree.root);
	int err, ns = restore_pid_ns_given(r);

	r->process.makes_root_for_tool = true;
	if (ns >= 0 && setns(ns, CLONE_NEWPID) < 0)
		return fail(-errno, "enter the pid namespace of the tree");
	err = restore_enter_namespaces(r, root);
	return err ? err : make_task(r, root, NULL);
}

/* In the process that forks @rt: @by, or the tool (NULL), waits for it. */
static _Noreturn void run_maker(struct restore *r, struct restore_task *rt, const struct restore_task *by)
{
	bool root = &rt->t == r->plan.tree.root;
	/* One that is nested in that of the tree is entered by make_task(). */
	int err = 0, ns = by || rt->t.pid_ns ? -1 : root ? restore_pid_ns_given(r) : r->tool.pid_ns;

	if (root && !minds_our_end(r, rt))
		r->process.makes_root_for_tool = true;
	else
		err = note_maker(r, by);
	if (!err && ns >= 0 && setns(ns, CLONE_NEWPID) < 0)
		err = fail(-errno, "enter the pid namespace of the tree");
	if (!err && !by && restore_root_is_made_inside(r))
		err = restore_enter_namespaces(r, rt);
	_exit(err || make_task(r, rt, by) ? MAKER_FAILED : 0);
}

/*
 * By a process that exits at once. So, from the start, @rt is a child of the process that adopts orphans, its final parent, or,
 * as the root, created in other namespaces than ours. @by: the task that creates it; NULL: the tool.
 */
static int make_by_maker(struct restore *r, struct restore_task *rt, const struct restore_task *by)
{
	/* Tables that it shares with @by are passed on by a process that has them, too. */
	struct clone_args args = { .flags = by ? clone_flags(r, rt, by) : 0, .exit_signal = SIGCHLD };
	int status;

	do {
		long maker = syscall(SYS_clone3, &args, sizeof(args));

		if (!maker)
			run_maker(r, rt, by);
		if (maker < 0)
			return fail(-errno, "fork");
		while (waitpid((pid_t)maker, &status, 0) < 0)
			if (errno != EINTR)
				return fail(-errno, "wait for process %ld, which creates process %d", maker, rt->t.pid);
	} while (WIFEXITED(status) && WEXITSTATUS(status) == MAKER_IN_THE_WAY);
	if (WIFSIGNALED(status))
		return fail(-ECHILD, "the process that creates process %d was killed by signal %d", rt->t.pid,
			    WTERMSIG(status));
	return WEXITSTATUS(status) ? -ECHILD : 0;
}

/* Forks this task's children: before its own setsid(2), those that are created in its original session or group. */
static int make_children(struct restore *r, struct restore_task *rt, bool early)
{
	int err = 0;

	for (struct restore_task *child = rt->forks; !err && child; child = child->next_forked)
		if (child->early == early)
			err = child->adopted ? make_by_maker(r, child, rt) : make_task(r, child, rt);
	return err;
}

static int reap_helpers(struct restore *r, struct restore_task *rt)
{
	struct task *t;

	list_for_each(t, &r->plan.helpers, in_tree) {
		int status;

		pid_t pid = restore_number_seen(r, rt, t->pid);

		if (t->parent == &rt->t && waitpid(pid, &status, 0) != pid)
			return fail(-errno, "wait for helper %d", t->pid);
	}
	return 0;
}

/*
 * Not before that does it have its final parent. By a descriptor: the root of a pid namespace has no pid for its parent. The kernel reports an exit after the children have their new parent.
 */
static int await_orphaned(int maker)
{
	struct pollfd ended = { .fd = maker, .events = POLLIN };

	while (poll(&ended, 1, -1) < 0)
		if (errno != EINTR)
			return fail(-errno, "wait for the exit of the process that forked it");
	close(maker);
	return 0;
}

static int follow_maker(struct restore *r, struct restore_task *rt)
{
	if (r->tool.maker >= 0 && (rt->adopted || !rt->creator)) {
		int err = await_orphaned(r->tool.maker);

		/* The parent of those that the tool creates may end at any time. */
		if (err || !rt->adopted)
			return err;
	}
	/*
	 * A restore succeeds or fails as a whole: a task dies with its creator, until the restorer sets the saved
	 * value.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(-errno, "prctl(PR_SET_PDEATHSIG)");
	if (!rt->creator || rt->as_sibling || rt->adopted)
		return 0;
	return getppid() == restore_number_seen(r, rt, rt->creator->t.pid) ? 0 : -ECANCELED;
}

/* Whoever is notified finds the root in its new namespaces, and nothing else. */
static int await_announcement(struct restore *r, const struct restore_task *rt)
{
	if (&rt->t != r->plan.tree.root || !r->shared->expected[STAGE_BORN])
		return 0;
	shared_reach(r->shared, STAGE_BORN);
	return shared_wait(r->shared, STAGE_SET_UP);
}

/*
 * Its creator may have done so. Read first: a page fault for reading also maps the pages around it that are written next,
 * one for writing only its own.
 */
static void publish_pid(struct restore *r, const struct restore_task *rt)
{
	_Atomic pid_t *pid = &r->shared->tasks[rt->t.index].pid;

	if (atomic_load(pid) != rt->t.pid)
		atomic_store(pid, rt->t.pid);
}

static int task_setup(struct restore *r, struct restore_task *rt)
{
	const struct run_kind *kind;
	int err = !rt->creator ? untrusted_settle(r) : 0;

	if (err)
		return err;
	r->process.task = rt;
	publish_pid(r, rt);
	/* A failure before this pid was published does not kill us (restore/undo.c). */
	if (shared_failed(r->shared))
		return -ECANCELED;
	err = follow_maker(r, rt);
	if (err)
		return err;
	log_set_pid(rt->t.pid);
	err = restore_await_group(r, rt);
	if (!err)
		err = restore_enter_namespaces(r, rt);
	run_for_each_kind(kind)
		if (!err && kind->at_birth)
			err = kind->at_birth(r, rt);
	return err ? err : await_announcement(r, rt);
}

static int lead_session(struct restore *r, struct restore_task *rt)
{
	int err = 0;

	if (rt->t.sid != rt->t.pid)
		return 0;
	if (setsid() < 0)
		return fail(-errno, "setsid");
	for (const struct task_kind *const *kind = task_kinds; !err && !rt->helper && *kind; kind++)
		err = (*kind)->session ? (*kind)->session(r, rt) : 0;
	return err;
}

static int enter_session(struct restore *r, struct restore_task *rt)
{
	int err = rt->adopts && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? fail(-errno, "prctl(PR_SET_CHILD_SUBREAPER)") :
								       make_children(r, rt, true);

	if (err)
		return err;
	err = lead_session(r, rt);
	if (err)
		return err;
	if ((rt->t.pgid == rt->t.pid || rt->leads_for_others) && rt->t.sid != rt->t.pid && setpgid(0, 0) < 0)
		return fail(-errno, "lead group %d", rt->t.pid);
	if (r->plan.forks_wait)
		shared_note_progress(r->shared);
	return make_children(r, rt, false);
}

static int join_group(struct restore *r, struct restore_task *rt)
{
	pid_t pgid = restore_number_seen(r, rt, rt->join_pgid);

	if (pgid && getpgrp() != pgid && setpgid(0, pgid) < 0)
		return fail(-errno, "join group %d", rt->join_pgid);
	return 0;
}

static int settle_in_group(struct restore *r, struct restore_task *rt)
{
	int err = rt->helper || rt->leads_for_others ? 0 : join_group(r, rt);

	if (!err)
		shared_reach(r->shared, STAGE_GROUPED);
	return err;
}

static int leave_others_group(struct restore *r, struct restore_task *rt)
{
	int err = rt->leads_for_others ? join_group(r, rt) : 0;

	if (!err && rt->leads_for_others)
		shared_reach(r->shared, STAGE_LEFT);
	return err;
}

/* The others wait for STAGE_GROUPED meanwhile. */
static int call_all_born(struct restore *r, const struct restore_task *rt)
{
	const struct run_kind *kind;
	int err = 0;

	if (&rt->t != r->plan.tree.root || !r->plan.all_born_first)
		return 0;
	run_for_each_kind(kind)
		if (!err && kind->all_born)
			err = kind->all_born(r);
	return err;
}

/* When all are in their groups, helpers and the dead may exit: they may have been the only members. */
static int settle_groups(struct restore *r, struct restore_task *rt)
{
	int err = rt->helper || rt->t.state == TASK_DEAD ? 0 : restore_early_threads(r, rt);

	if (!err)
		err = vm_peers_run(r, rt, settle_in_group);
	if (!err)
		err = shared_wait(r->shared, STAGE_GROUPED);
	if (!err)
		err = vm_peers_run(r, rt, leave_others_group);
	return err ? err : shared_wait(r->shared, STAGE_LEFT);
}

static int task_init(struct restore *r, struct restore_task *rt)
{
	int err = task_setup(r, rt);

	if (!err && !rt->helper && rt->t.state != TASK_DEAD)
		err = memory_stage_shared(r, rt);
	if (!err)
		err = enter_session(r, rt);
	if (!err)
		err = restore_enter_user_ns_late(r, rt);
	if (!err)
		shared_reach(r->shared, STAGE_FORKED);
	return err;
}

/* A process, with all that share its memory: they do each step one after another, and none of them waits alone. */
static int task_run(struct restore *r, struct restore_task *rt)
{
	int err = task_init(r, rt);

	/* Meanwhile its creator forks the others. */
	if (!err && !rt->helper && rt->t.state != TASK_DEAD)
		err = restore_prepare_memory(r, rt);
	if (!err && !rt->helper && rt->t.state != TASK_DEAD)
		err = restore_await_files(r, rt);
	if (!err)
		err = shared_wait(r->shared, STAGE_FORKED);
	if (!err)
		err = call_all_born(r, rt);
	if (!err)
		err = settle_groups(r, rt);
	if (err)
		return err;
	if (rt->helper)
		_exit(0);
	if (rt->t.state == TASK_DEAD)
		restore_exit_as_zombie(rt);
	err = vm_peers_run(r, rt, reap_helpers);
	if (!err)
		err = restore_open_files(r, rt);
	if (!err)
		err = vm_peers_run(r, rt, restore_await_zombies);
	return err ? err : restore_hand_over(r, rt);
}

static _Noreturn void run_task(struct restore *r, struct restore_task *rt)
{
	LOG_SCOPE("pid %d (%s)", rt->t.pid, rt->t.comm);
	int err;

	/* VM peers of its creator are not in its own copy of the memory. */
	r->process.vm_peers = NULL;
	err = task_run(r, rt);

	shared_fail(r->shared, err);
	_exit(1);
}

/*
 * Those that entered the pid namespace from outside. Their parent is none of the tool's users': it would have to wait for them, or
 * the namespace could not end.
 */
static int make_entered(struct restore *r)
{
	struct restore_task *rt;
	int err = 0;

	restore_for_each_task(rt, r)
		if (!err && !rt->creator && &rt->t != r->plan.tree.root)
			err = make_by_maker(r, rt, NULL);
	return err;
}

int restore_fork_tree(struct restore *r)
{
	struct restore_task *root = restore_task_of(r->plan.tree.root);
	sigset_t all;
	int err;

	/* Tasks start with all signals blocked: none may run the tool's handlers in them. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (r->tool.sibling)
		err = sibling_fork_root(r->tool.sibling);
	else if (minds_our_end(r, root) || restore_root_is_made_inside(r) || restore_pid_ns_given(r) >= 0)
		err = make_by_maker(r, root, NULL);
	else
		err = make_task(r, root, NULL);
	if (err)
		return err;
	r->tool.root_pid = atomic_load(&r->shared->birth->root_pid);
	err = restore_find_pid_ns(r);
	return err ? err : make_entered(r);
}
