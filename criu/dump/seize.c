/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop every thread of the tree. New threads and children may appear while we do it: go on until two passes see none. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* include/linux/sched.h: field flags of /proc/PID/stat. */
#define PF_KTHREAD 0x00200000

/* So long for one thread before the others get their turn. */
#define ONE_WAIT_MS 2u

static struct dump_thread *find_thread(const struct dump_task *dt, pid_t tid)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (dt->threads[i].id.host_tid == tid)
			return &dt->threads[i];
	return NULL;
}

static int add_thread(struct dump_task *dt, pid_t tid)
{
	struct dump_thread *grown;

	/* Doubling by powers of two: cost per thread stays constant. */
	if (!(dt->nr_threads & (dt->nr_threads - 1))) {
		size_t room = dt->nr_threads ? dt->nr_threads * 2 : 1;

		grown = realloc(dt->threads, room * sizeof(*grown));
		if (!grown)
			return fail(-ENOMEM, "threads of %d", dt->t.host_pid);
		dt->threads = grown;
	}
	dt->threads[dt->nr_threads] = (struct dump_thread){ .id = { tid, tid }, .seized = true };
	dt->nr_threads++;
	return 0;
}

static void look_for_end(struct dump_task *dt)
{
	struct proc_stat stat;

	/* With other threads left it is the first one alone that has ended, or is about to be another one (exec). */
	if (proc_stat_read(&dt->proc, &stat) < 0 || (strchr("ZX", stat.state) && stat.threads <= 1))
		dt->t.state = TASK_DEAD;
}

static int dead_or_error(struct dump_task *dt, int err)
{
	struct proc_stat stat;

	if (err != -ESRCH && err != -EPERM)
		return err;
	if (proc_stat_read(&dt->proc, &stat) < 0)
		return -ESRCH;
	look_for_end(dt);
	return dt->t.state == TASK_DEAD ? 0 : err;
}

static int seize_failed(struct dump_task *dt, pid_t tid, int err)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	struct proc_stat stat;

	if (err == -ESRCH)
		return fail(err, "there is no task %d", tid);
	if (!proc_status_read(&dt->proc, &status) && status.tracer)
		return fail(err, "task %d is traced by %d already: detach that debugger first", tid, status.tracer);
	if (dt->t.host_pid == getpid())
		return fail(err, "%d is this criu: start it from outside of the tree that it is to dump", tid);
	if (!proc_stat_read(&dt->proc, &stat) && (stat.flags & PF_KTHREAD))
		return fail(err, "%d is a thread of the kernel: it has no memory to save", tid);
	return fail(err, "stop task %d: we may not trace it", tid);
}

/* Its end, which is taken then. Any wait for a traced thread takes stops as well, asked for or not: look first. */
static bool has_ended(const struct dump_thread *th)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, th->id.host_tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == ECHILD;
	if (!info.si_pid || (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED))
		return false;
	waitid(P_PID, th->id.host_tid, &info, WEXITED | WNOHANG | __WALL);
	return true;
}

/*
 * A thread that executes a program waits for the end of all others, to which those that we trace do not come before they
 * are waited for; and PTRACE_SEIZE of any thread of that process waits for the exec. Somebody has to give way: the signal
 * of the end breaks into the call, and its handler waits. A handler knows nothing but what is static.
 */
static struct {
	struct dump_task *volatile task; /* whose thread is being seized */
	volatile sig_atomic_t deaths; /* not looked at yet */
} seizing;

static void take_ends(const struct dump_task *dt)
{
	seizing.deaths = 0;
	for (size_t i = 0; i < dt->nr_threads; i++)
		has_ended(&dt->threads[i]);
}

static void on_sigchld(int sig)
{
	int error = errno;

	seizing.deaths = 1;
	if (seizing.task)
		take_ends(seizing.task);
	errno = error;
}

static int seize_patiently(struct dump_task *dt, pid_t tid)
{
	int err;

	seizing.task = dt;
	if (seizing.deaths)
		take_ends(dt);
	err = compel_seize(tid, true);
	/* So it may be of one that has ended, whose number is another thread's by now. */
	if (err == -EPERM)
		err = compel_seize(tid, true);
	seizing.task = NULL;
	return err;
}

/* One whom we had hold of under another number has executed a program, and has the first thread's now. */
static bool is_ours(const struct dump_task *dt, pid_t tid)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };

	return tid == dt->t.host_pid && !proc_status_read(&dt->proc, &status) && status.tracer == getpid();
}

/* Its stop may have been taken for that of another: it stops once more then, with the signal that it was to get. */
static void interrupt_again(struct dump_task *dt, pid_t tid)
{
	siginfo_t waiting = { 0 }, why;
	struct proc_stat stat;
	bool event;

	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	if (waitid(P_PID, tid, &waiting, WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 || waiting.si_pid)
		return;
	if (proc_stat_read(&dt->proc, &stat) < 0 || stat.state != 't' || ptrace(PTRACE_GETSIGINFO, tid, NULL, &why) < 0)
		return;
	event = why.si_code >> 8;
	ptrace(PTRACE_CONT, tid, NULL, event ? 0L : (long)why.si_signo);
}

static int seize_thread(struct dump_task *dt, pid_t tid)
{
	int err = seize_patiently(dt, tid);

	if ((err == -EPERM || err == -EBUSY) && is_ours(dt, tid)) {
		dt->shaken = true;
		interrupt_again(dt, tid);
		return add_thread(dt, tid);
	}
	if (err < 0 && tid == dt->t.host_pid && !dead_or_error(dt, err) && dt->t.state == TASK_DEAD)
		return 0;
	/* A thread that has ended meanwhile, be it the first one in whose place another has executed a program. */
	if (err == -ESRCH) {
		dt->shaken = true;
		return 0;
	}
	return err < 0 ? seize_failed(dt, tid, err) : add_thread(dt, tid);
}

/*
 * What was seized and is no thread of @dt by its list: either it has ended, or its number was another task's already
 * when we took hold of that: a stranger, who goes on.
 */
static void drop_strangers(struct dump_task *dt, const struct pid_array *tids)
{
	for (size_t i = 0; i < dt->nr_threads; i++) {
		struct dump_thread *th = &dt->threads[i];
		size_t at = 0;

		while (at < tids->n && tids->v[at] != th->id.host_tid)
			at++;
		if (at < tids->n)
			continue;
		log_debug("task %d is no thread of %d any more", th->id.host_tid, dt->t.host_pid);
		compel_detach(th->id.host_tid, &th->stop);
		dt->threads[i--] = dt->threads[--dt->nr_threads];
	}
}

/*
 * Has the first thread's number gone to another thread, which executed a program? One that was not seized in time runs,
 * as a stranger, or as ours whom nobody has told to stop. Returns whether there is something new to wait for.
 */
static bool check_leader(struct dump_task *dt)
{
	struct dump_thread *leader = find_thread(dt, dt->t.host_pid);
	struct proc_stat stat;
	siginfo_t info;

	if (!leader)
		return false;
	if (waitid(P_PID, dt->t.host_pid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) && errno == ECHILD) {
		*leader = dt->threads[--dt->nr_threads];
		return false;
	}
	if (!dt->shaken || leader->stop.state == COMPEL_RUNNING || proc_stat_read(&dt->proc, &stat) < 0 ||
	    strchr("tZX", stat.state))
		return false;
	leader->stop.state = COMPEL_RUNNING;
	return !ptrace(PTRACE_INTERRUPT, dt->t.host_pid, NULL, NULL);
}

/* Seize the threads of @dt that are not known yet. Returns how many there were. */
static int seize_new_threads(struct dump_task *dt)
{
	struct pid_array tids = { 0 };
	int err = proc_threads(&dt->proc, &tids);
	bool again = check_leader(dt);
	size_t first;

	first = dt->nr_threads;
	for (size_t i = 0; err >= 0 && i < tids.n; i++) {
		/* Ascending lists: what was seized before is a prefix as a rule. The first time there is nothing to find. */
		bool known = i < first && dt->threads[i].id.host_tid == tids.v[i];

		if (!known && (!first || !find_thread(dt, tids.v[i])))
			err = seize_thread(dt, tids.v[i]);
	}
	if (err >= 0 && dt->nr_threads == first && first > tids.n)
		drop_strangers(dt, &tids);
	array_free(&tids);
	if (err >= 0 && (again || (!dt->nr_threads && dt->t.state == TASK_ALIVE)))
		return 1;
	return err < 0 ? err : (int)(dt->nr_threads - MIN_OF(first, dt->nr_threads));
}

/* What is left of --timeout. */
static unsigned int left_ms(const struct dump *dump)
{
	uint64_t gone = (stats_now() - dump->freeze_start) / 1000, all = dump->opts->timeout_sec * 1000ull;

	if (!all)
		return INT32_MAX;
	return all > gone ? all - gone : 0;
}

/*
 * The thread that was to be waited for has executed a program: it is the first thread now, and all others are gone. Its
 * stop is told under that number, unless it has been taken for the stop of the first thread that was.
 */
static int wait_after_exec(struct dump *dump, struct dump_task *dt)
{
	struct dump_thread *leader = find_thread(dt, dt->t.host_pid);
	struct proc_stat stat;
	int err;

	if (!leader)
		return 0;
	do {
		err = compel_wait_stop_for(dt->t.host_pid, 0, &leader->stop);
		if (err == -ECHILD)
			leader->stop.state = COMPEL_DEAD;
		if (err != -ETIMEDOUT)
			return err == -ECHILD ? 0 : err;
		if (proc_stat_read(&dt->proc, &stat) < 0 || stat.state == 't')
			return 0;
	} while (left_ms(dump));
	return -ETIMEDOUT;
}

/* -ETIMEDOUT: not yet. */
static int wait_stop(struct dump *dump, struct dump_task *dt, struct dump_thread *th)
{
	int err = compel_wait_stop_for(th->id.host_tid, MIN_OF(left_ms(dump), ONE_WAIT_MS), &th->stop);

	if (err == -ECHILD) {
		th->stop.state = COMPEL_DEAD;
		err = th->id.host_tid == dt->t.host_pid ? 0 : wait_after_exec(dump, dt);
	}
	return err < 0 && err != -ETIMEDOUT ? fail(err, "wait for task %d to stop", th->id.host_tid) : err;
}

/* All that are not at rest yet, each once. Returns one that is left, 0: none. */
static int wait_round(struct dump *dump, struct dump_task *dt, bool again)
{
	pid_t left = 0;

	for (size_t i = 0; i < dt->nr_threads; i++) {
		struct dump_thread *th = &dt->threads[i];
		int err = th->stop.state == COMPEL_RUNNING ? wait_stop(dump, dt, th) : 0;

		if (err == -ETIMEDOUT)
			left = left ? left : th->id.host_tid;
		else if (err < 0)
			return err;
		else if (again && th->stop.state != COMPEL_DEAD && has_ended(th))
			th->stop.state = COMPEL_DEAD;
		/* Ended between the list and the stop: it is no thread of the tree any more. */
		if (th->stop.state == COMPEL_DEAD) {
			dt->threads[i--] = dt->threads[--dt->nr_threads];
			dt->shaken = true;
		}
	}
	return left;
}

/*
 * One after another, but for none of them without end: a thread that executes a program does not stop before all others
 * have ended, and those that we trace have not ended before we have seen it.
 */
static int wait_stops(struct dump *dump, struct dump_task *dt)
{
	struct dump_thread *leader;
	int left = wait_round(dump, dt, false);

	while (left > 0 && left_ms(dump)) {
		leader = find_thread(dt, dt->t.host_pid);
		/* Seized, but gone under its old number before it was told to stop. */
		if (dt->shaken && leader && leader->stop.state == COMPEL_RUNNING)
			ptrace(PTRACE_INTERRUPT, dt->t.host_pid, NULL, NULL);
		left = wait_round(dump, dt, true);
	}
	if (left < 0)
		return left;
	if (left)
		return fail(
			-ETIMEDOUT,
			"task %d does not stop: it waits in the kernel for something that no signal interrupts (a child of vfork, a dead file server); --timeout bounds the wait",
			left);
	leader = find_thread(dt, dt->t.host_pid);
	if (leader && leader->stop.state == COMPEL_STOPPED) {
		dt->t.state = TASK_STOPPED;
		dt->t.stop_signal = leader->stop.stop_signal;
	}
	/* With no thread left it is a zombie, or one has executed a program that we have not got hold of yet. */
	if (!dt->nr_threads)
		look_for_end(dt);
	return 0;
}

/* One look over the whole tree: seize in one batch, then wait in one batch. Returns how much was new. */
static int seize_pass(struct dump *dump)
{
	struct dump_task *dt;
	int found = 0;

	dump_for_each_task(dt, dump) {
		int n;

		if (dt->t.state == TASK_DEAD)
			continue;
		n = seize_new_threads(dt);
		if (n == -ENOENT || n == -ESRCH) {
			/* A child that was reaped since its parent listed it: only before the parent was stopped. */
			if (dt->t.parent && !dt->nr_threads) {
				dt->t.state = TASK_DEAD;
				continue;
			}
			return n;
		}
		if (n < 0)
			return n;
		n = wait_stops(dump, dt) < 0 ? -ECHILD : n;
		if (n < 0)
			return n;
		found += n;
		n = dump_add_children(dump, dt);
		if (n < 0)
			return n;
		found += n;
	}
	return found;
}

static void put_leader_first(struct dump_task *dt)
{
	struct dump_thread *leader = find_thread(dt, dt->t.host_pid), was;

	if (!leader || leader == dt->threads)
		return;
	was = dt->threads[0];
	dt->threads[0] = *leader;
	*leader = was;
}

/* With everything at rest: what zombies are left, and numbers in tree order. */
static int settle(struct dump *dump)
{
	struct task *t, *next;
	unsigned index = 0;

	list_for_each_safe(t, next, &dump->tree.tasks, in_tree) {
		struct dump_task *dt = dump_task_of(t);
		int err = dump_read_stat(dt);

		if (err < 0 && t->state == TASK_DEAD && t->parent) {
			dump_drop_task(dump, dt);
			continue;
		}
		if (err < 0)
			return fail(err, "read /proc/%d/stat", t->host_pid);
		t->index = index++;
		if (t->state == TASK_DEAD)
			continue;
		put_leader_first(dt);
		if (!dt->nr_threads || dt->threads[0].id.host_tid != t->host_pid)
			return fail(
				-EOPNOTSUPP,
				"process %d goes on without its first thread, which has ended: that cannot be saved yet",
				t->host_pid);
		dt->pidfd = sys_pidfd_open(t->host_pid, 0);
		if (dt->pidfd < 0)
			return fail(dt->pidfd, "pidfd of %d", t->host_pid);
	}
	if (dump->tree.root->state == TASK_DEAD)
		return fail(-ESRCH, "process %d is a zombie: there is nothing left to dump", dump->tree.root->host_pid);
	return 0;
}

/* /proc knows threads by their numbers, too. */
static int check_is_process(const struct dump_task *root)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	int err = proc_status_read(&root->proc, &status);

	if (!err && status.tgid != root->t.host_pid)
		err = fail(-EINVAL, "%d is a thread of process %d: give -t %d", root->t.host_pid, status.tgid,
			   status.tgid);
	else if (err < 0)
		err = fail(err, "read /proc/%d/status", root->t.host_pid);
	return err;
}

static int freeze(struct dump *dump)
{
	struct dump_task *root;
	int quiet = 0, err = dump_add_task(dump, dump->opts->pid, NULL, &root);

	if (!err)
		err = check_is_process(root);

	while (!err && quiet < 2) {
		int found = seize_pass(dump);

		if (found < 0)
			return fail(found, "freeze the tree of %d", dump->opts->pid);
		quiet = found ? 0 : quiet + 1;
		err = dump_interrupted(dump);
		if (!err && dump->opts->timeout_sec &&
		    stats_now() - dump->freeze_start > dump->opts->timeout_sec * 1000000ull)
			err = fail(-ETIMEDOUT,
				   "the tree of %d makes new tasks faster than they are stopped (--timeout)",
				   dump->opts->pid);
	}
	return err;
}

int dump_seize(struct dump *dump)
{
	const struct sigaction reap = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	struct sigaction was;
	sigset_t chld, mask;
	int err;

	dump->freeze_start = stats_now();
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigaction(SIGCHLD, &reap, &was);
	sigprocmask(SIG_UNBLOCK, &chld, &mask);
	err = freeze(dump);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGCHLD, &was, NULL);
	if (!err)
		err = settle(dump);
	dump->stats.dump.freezing_time = stats_now() - dump->freeze_start;
	return err;
}
