/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stops the threads of one process, which meanwhile creates threads, ends them and executes programs.
 *
 * A thread keeps its tid until it exits, with one exception. When thread X calls execve(2) and is not the first thread
 * of the process, whose tid is L, then, see ptrace(2):
 * - All other threads are killed, even those in a ptrace stop of ours. One that we trace is a zombie until we have
 *   waited for it, and X waits for that. Meanwhile PTRACE_SEIZE of any thread of the process waits for X. So exits are
 *   consumed wherever we wait: between two checks of running threads, and in the SIGCHLD handler during a PTRACE_SEIZE.
 * - The first thread is a zombie then, whose exit no wait reports; neither does one for a first thread that exited by
 *   itself. No wait for L returns anything while L is a zombie.
 * - X takes the tid L. Its old tid is unused: a wait for it fails with ECHILD, which means nothing but this, as every
 *   other exit is reported. What was reported for L before came from the old first thread, and is void.
 * - If X was traced, L is now, and stops twice: in exec, and before the first instruction of the new program. A stop of
 *   X that was reported under L before we knew remains valid (compel_at_rest). There is no other thread: this process
 *   is stopped.
 * - If X was not traced, a wait for L fails with ECHILD. X is seized under its new tid, or was being seized under its
 *   old one (-ESTALE). To escape again and again, an untraced thread would have to call execve(2) between our reading
 *   of the list and the seizing of its threads each time.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dump/dump.h"
#include "dump/thread_list.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* include/linux/sched.h: field flags of /proc/PID/stat. */
#define PF_KTHREAD 0x00200000

/* Time limit for one thread before the others get their turn. */
#define ONE_WAIT_MS 2u
/* A tid that changes owners meanwhile is retried. */
#define SEIZE_TRIES 4
/* How long the first attempt waits for a process, unless it is the only one; doubled for each attempt. */
#define FIRST_PATIENCE_US 100000ull
/* How often a waiting PTRACE_SEIZE checks whether to give up. */
#define TICK_US 50000

/* As in /proc; X: it has exited. */
static char thread_state(const struct dump_task *dt, pid_t tid)
{
	struct proc_stat stat;

	if (proc_thread_stat_read(&dt->proc, tid, &stat) < 0)
		return 'X';
	return stat.state;
}

/*
 * How long one process may keep running. In any attempt but the last it is not waited for long: it may itself wait for
 * a task that we have stopped (vfork), and the others are stopped meanwhile.
 */
static unsigned int left_ms(const struct dump *dump)
{
	uint64_t patience = dump->patience_us ? dump->patience_us : FIRST_PATIENCE_US << MIN_OF(dump->attempt, 16u);
	uint64_t now = stats_now(), end = dump->waiting_since + patience;

	if (now >= dump->retry_until) {
		if (!dump->opts->timeout_sec)
			return INT32_MAX;
		end = dump->freeze_start + dump->opts->timeout_sec * 1000000ull;
	}
	return end > now ? (end - now + 999) / 1000 : 0;
}

/* ---- Seize ---- */

/* A signal handler can only use static data. */
static struct {
	struct dump_task *volatile task; /* whose thread is being seized */
	struct dump *volatile dump;
	volatile sig_atomic_t deaths; /* number of exits consumed */
	sigjmp_buf give_up;
} seizing;

static void on_sigchld(int sig)
{
	int error = errno;

	seizing.deaths++;
	if (seizing.task)
		thread_list_take_ends(seizing.task);
	errno = error;
}

static void on_tick(int sig)
{
	struct pollfd asked = { .fd = seizing.dump->signal_fd, .events = POLLIN };
	int error = errno;

	/* PTRACE_SEIZE is restarted after any handler that returns. */
	if (seizing.task && (!left_ms(seizing.dump) || poll(&asked, 1, 0) > 0))
		siglongjmp(seizing.give_up, 1);
	errno = error;
}

static void unblock_ours(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

/*
 * No wait here may be unlimited: a process in execve(2) that has to wait for a thread traced by a debugger, or for the
 * server of a file that is stopped already, makes us wait as well.
 */
static int seize_patiently(struct dump_task *dt, pid_t tid)
{
	int err;

	/* The mask is restored right here, the only place that needs it: saving it costs a call per thread. */
	if (sigsetjmp(seizing.give_up, 0)) {
		seizing.task = NULL;
		unblock_ours();
		err = dump_interrupted(seizing.dump);
		return err ? err :
			     dump_try_again(
				     seizing.dump, -ETIMEDOUT,
				     "process %d is in execve(2), which does not return: maybe one of its threads is traced by a debugger and cannot exit, or a file server does not respond; --timeout limits the wait",
				     dt->t.host_pid);
	}
	seizing.dump->waiting_since = stats_now();
	seizing.task = dt;
	if (dt->deaths_seen != seizing.deaths) {
		dt->deaths_seen = seizing.deaths;
		thread_list_take_ends(dt);
	}
	err = compel_seize(tid, true);
	seizing.task = NULL;
	return err;
}

static int dead_or_error(struct dump_task *dt, int err)
{
	struct proc_stat stat;

	if (err != -ESRCH && err != -EPERM)
		return err;
	if (proc_stat_read(&dt->proc, &stat) < 0)
		return -ESRCH;
	thread_list_check_end(dt);
	return dt->t.state == TASK_DEAD ? 0 : err;
}

static int seize_failed(struct dump *dump, struct dump_task *dt, pid_t tid, int err)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	struct proc_stat stat;
	char comm[16];

	if (!proc_status_read(&dt->proc, &status) && status.tracer)
		return fail(err, "task %d is traced by %d (%s) already: detach that debugger first", tid, status.tracer,
			    proc_comm_of(status.tracer, comm));
	if (dt->t.host_pid == getpid())
		return fail(err, "%d is this criu: run it outside the tree that it dumps", tid);
	if (!proc_stat_read(&dt->proc, &stat) && (stat.flags & PF_KTHREAD))
		return fail(err, "%d is a kernel thread: it has no memory to save", tid);
	if (err == -EPERM && !rights_may(&dump->rights, RIGHT_PTRACE_ANY))
		return fail(
			err,
			"stop task %d: it has the rights of another user (%u; a setuid program?), or capabilities that criu lacks: tracing it %s: run criu as root",
			tid, status.uid[PROC_EFFECTIVE], rights_text(RIGHT_PTRACE_ANY));
	return fail(err, "stop task %d: not permitted", tid);
}

/* Returns whether anything is new: a thread that we trace now, or a sign of an exec. */
static int seize_thread(struct dump *dump, struct dump_task *dt, pid_t tid)
{
	bool first = tid == dt->t.host_pid;
	int err = dump_take_attached(seizing.dump->attached, tid) ? 0 : -EPERM;

	for (int i = 0; i < SEIZE_TRIES && (err == -EPERM || err == -EBUSY); i++) {
		err = seize_patiently(dt, tid);
		/* By a thread of ours that calls execve(2). */
		if ((err == -EPERM || err == -EBUSY) && first && !compel_interrupt(tid))
			err = 0;
	}
	if (!err)
		err = thread_list_add(dt, tid);
	else if (err == -ESTALE)
		err = thread_list_take_over(dt);
	else if (err == -EINTR || err == -ETIMEDOUT)
		return err;
	else if (first && !dead_or_error(dt, err) && dt->t.state == TASK_DEAD)
		return 0;
	else if (err == -ESRCH)
		return thread_state(dt, tid) != 'Z'; /* a tid that is unused by now, perhaps because of an exec */
	else
		return seize_failed(dump, dt, tid, err);
	return err < 0 ? err : 1;
}

/*
 * Seized, but not among the listed threads of @dt: either it has exited, or its tid had been reused by an unrelated
 * task already, which is resumed.
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
		log_debug("task %d is not a thread of %d any more", th->id.host_tid, dt->t.host_pid);
		compel_detach(th->id.host_tid, &th->stop);
		thread_list_drop(dt, th);
		i--;
	}
}

/* Is the first thread that was stopped still the one that has this tid? */
static int check_leader(struct dump_task *dt)
{
	struct dump_thread *leader = dump_find_thread(dt, dt->t.host_pid);
	int err;

	if (leader && (leader->stop.state == COMPEL_RUNNING || compel_at_rest(dt->t.host_pid)))
		return 0;
	/* It has exited, or was killed with all others, by an exec or for good. */
	thread_list_take_ends(dt);
	if (!leader)
		return 0;
	err = thread_list_take_over(dt);
	return err < 0 ? err : 1;
}

/*
 * The numbers of all threads of @dt. When there are as many as we hold, they are those: none that we hold ends unnoticed
 * (thread_list_drop_ended, check_leader), and a stranger among them has no file in our directory (read_threads.c). *ret_known: then
 * nothing is listed.
 */
static int list_threads(const struct dump_task *dt, struct pid_array *tids, bool *ret_known)
{
	int nr = proc_nr_threads(&dt->proc);

	*ret_known = nr > 0 && (size_t)nr == dt->nr_threads;
	if (nr < 0 || *ret_known)
		return nr < 0 ? nr : 0;
	return nr == 1 && !dt->nr_threads ? array_add(tids, dt->t.host_pid) : proc_threads(&dt->proc, tids);
}

/* Seizes the threads of @dt that are not known yet. Returns how many are new. */
static int seize_new(struct dump *dump, struct dump_task *dt)
{
	struct pid_array tids = { 0 };
	bool known;
	int gone, news, err = list_threads(dt, &tids, &known);
	size_t first;

	news = err < 0 ? err : check_leader(dt);
	first = dt->nr_threads;
	for (size_t i = 0; news >= 0 && i < tids.n; i++) {
		/*
		 * Ascending lists: usually, those seized before are a prefix. The first time there is nothing to find.
		 */
		bool held = i < first && dt->threads[i].id.host_tid == tids.v[i];

		if (held || (first && dump_find_thread(dt, tids.v[i])))
			continue;
		/* The directory lists a tid twice when it changes owners meanwhile. */
		if (i && tids.v[i] == tids.v[i - 1])
			continue;
		err = seize_thread(dump, dt, tids.v[i]);
		news = err < 0 ? err : news + err;
	}
	gone = thread_list_drop_ended(dt);
	news = news < 0 ? news : news + gone;
	if (!news && !known && dt->nr_threads > tids.n)
		drop_strangers(dt, &tids);
	array_free(&tids);
	return news;
}

/* ---- Wait ---- */

/* Checks each thread that is not stopped yet once. Returns how many have exited; one that is left, or 0. */
static int wait_round(struct dump *dump, struct dump_task *dt, bool again, pid_t *ret_left)
{
	const pid_t pid = dt->t.host_pid;
	int gone = 0;

	*ret_left = 0;
	for (size_t i = 0; i < dt->nr_threads; i++) {
		struct dump_thread *th = &dt->threads[i];
		pid_t tid = th->id.host_tid;
		int err = 0;

		if (th->stop.state == COMPEL_RUNNING)
			err = compel_wait_stop_for(tid, MIN_OF(left_ms(dump), ONE_WAIT_MS), &th->stop);
		else if (again && thread_list_take_end(th))
			th->stop.state = COMPEL_DEAD;
		if (err == -ETIMEDOUT && !(tid == pid && strchr("ZX", thread_state(dt, pid)))) {
			*ret_left = tid;
			continue;
		}
		if (!err && th->stop.state != COMPEL_DEAD)
			continue;
		if (err < 0 && err != -ETIMEDOUT && err != -ECHILD)
			return fail(err, "wait for task %d to stop", tid);
		/*
		 * Exited between the list and the stop, or the tid of an unrelated task: not a thread of the tree any
		 * more.
		 */
		thread_list_drop(dt, th);
		i--;
		gone++;
		if (err == -ECHILD && tid != pid && (err = thread_list_take_over(dt)) < 0)
			return err;
	}
	return gone;
}

/* One after another, each with a limit. Returns how many have exited. */
static int wait_stops(struct dump *dump, struct dump_task *dt)
{
	struct dump_thread *leader;
	pid_t left;
	int gone, all = 0;

	dump->waiting_since = stats_now();
	for (bool again = false;; again = true) {
		gone = wait_round(dump, dt, again, &left);
		if (gone < 0)
			return gone;
		all += gone;
		if (!left)
			break;
		if (!left_ms(dump))
			return dump_try_again(
				dump, -ETIMEDOUT,
				"task %d does not stop: it is in an uninterruptible wait in the kernel (a child of vfork, a dead file server, an automounter that has not answered), or in a cgroup that is frozen (--freeze-cgroup); --timeout limits the wait",
				left);
		if (dump_interrupted(dump) < 0)
			return -EINTR;
	}
	leader = dump_find_thread(dt, dt->t.host_pid);
	if (leader) {
		dt->t.state = leader->stop.state == COMPEL_STOPPED ? TASK_STOPPED : TASK_ALIVE;
		dt->t.stop_signal = leader->stop.stop_signal;
	}
	/* With no thread left it is a zombie, or a thread has called execve(2) that we do not trace yet. */
	if (!dt->nr_threads)
		thread_list_check_end(dt);
	return all + (!dt->nr_threads && dt->t.state != TASK_DEAD);
}

int dump_stop_threads(struct dump *dump, struct dump_task *dt)
{
	int gone, news = seize_new(dump, dt);

	if (news < 0 || dt->t.state == TASK_DEAD)
		return news;
	gone = wait_stops(dump, dt);
	/* These would mean that the process has exited. */
	if (gone == -ESRCH || gone == -ENOENT)
		return -ECHILD;
	return gone < 0 ? gone : news + gone;
}

void dump_stop_begin(struct dump *dump, struct dump_stopping *ret_was)
{
	const struct sigaction child = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	const struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	const struct itimerval ticks = { { 0, TICK_US }, { 0, TICK_US } };
	sigset_t ours;

	seizing.dump = dump;
	seizing.task = NULL;
	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGALRM);
	sigaction(SIGCHLD, &child, &ret_was->child);
	sigaction(SIGALRM, &tick, &ret_was->tick);
	sigprocmask(SIG_UNBLOCK, &ours, &ret_was->mask);
	setitimer(ITIMER_REAL, &ticks, NULL);
}

void dump_stop_end(const struct dump_stopping *was)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	sigprocmask(SIG_SETMASK, &was->mask, NULL);
	sigaction(SIGALRM, &was->tick, NULL);
	sigaction(SIGCHLD, &was->child, NULL);
}
