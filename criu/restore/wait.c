/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits for the restored tree as if the tool were the tree: signals sent to the tool are forwarded to the root, whose
 * exit status becomes ours.
 *
 * As a job of the user's shell (--shell-job) the tool is between that shell, which does not know the tree, and the
 * tree's group, which has the terminal: when the root stops, the tool takes the terminal back and stops itself; when
 * the shell continues it, it gives the terminal back to the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "restore/restore.h"
#include "run/interrupt.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

struct job {
	int terminal; /* -1: none that we control */
	pid_t own, tree; /* groups: the tool's, and the group of the tree that had the terminal last */
	bool in_front; /* the shell has put us in the foreground: the terminal is ours or the tree's */
	bool has_settings;
	struct termios settings; /* of the tree, while it is stopped */
};

/* The caller may be in the background: without being stopped for it. */
static void give_terminal(const struct job *job, pid_t group)
{
	sigset_t block, was;

	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	sigprocmask(SIG_BLOCK, &block, &was);
	if (tcsetpgrp(job->terminal, group) < 0)
		log_debug("group %d cannot become the foreground group", group);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

static void set_terminal(const struct job *job)
{
	sigset_t block, was;

	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	sigprocmask(SIG_BLOCK, &block, &was);
	if (job->has_settings && tcsetattr(job->terminal, TCSADRAIN, &job->settings) < 0)
		log_debug("the terminal settings of the tree cannot be restored");
	sigprocmask(SIG_SETMASK, &was, NULL);
}

/* The tree has its terminal already, if it was in the foreground. */
static bool is_in_front(struct restore *r, const struct job *job)
{
	pid_t front = job->terminal < 0 ? -1 : tcgetpgrp(job->terminal);
	struct restore_task *rt;

	if (front < 0 || front == job->own)
		return front > 0;
	restore_for_each_task(rt, r)
		if (rt->t.state != TASK_DEAD && getpgid(rt->t.host_pid) == front)
			return true;
	return false;
}

/*
 * A stop of the root: only the foreground group is stopped by the terminal; one that shares our group stops us as well.
 */
static void stop_with_tree(struct restore *r, struct job *job)
{
	pid_t group = getpgid(r->tool.root_pid), front;

	if (job->terminal < 0 || group < 0 || group == job->own || getsid(r->tool.root_pid) != getsid(0))
		return;
	front = job->in_front ? tcgetpgrp(job->terminal) : -1;
	job->tree = group;
	if (front > 0 && front != job->own) {
		job->tree = front;
		job->has_settings = !tcgetattr(job->terminal, &job->settings);
		give_terminal(job, job->own);
	}
	raise(SIGSTOP);
	/* The shell ran "fg" or "bg". */
	job->in_front = tcgetpgrp(job->terminal) == job->own;
	if (job->in_front) {
		give_terminal(job, job->tree);
		set_terminal(job);
	}
	kill(-job->tree, SIGCONT);
	if (job->tree != group)
		kill(-group, SIGCONT);
}

/* The tree has exited: its group must not remain the foreground group, or the next program has no terminal. */
static void take_terminal_back(const struct job *job)
{
	pid_t front = job->in_front ? tcgetpgrp(job->terminal) : -1;

	if (front > 0 && front != job->own && kill(-front, 0) < 0 && errno == ESRCH)
		give_terminal(job, job->own);
}

/* Signals of the terminal to our group have reached the tree already if it is in that group. */
static void pass_on(const struct restore *r, const struct job *job, const siginfo_t *info)
{
	if (info->si_code == SI_KERNEL && getpgid(r->tool.root_pid) == job->own)
		return;
	kill(r->tool.root_pid, info->si_signo);
}

static void block_signals(sigset_t *ret_set)
{
	static const int passed[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

	interrupt_signals(ret_set);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaddset(ret_set, passed[i]);
	sigaddset(ret_set, SIGCHLD);
	sigprocmask(SIG_BLOCK, ret_set, NULL);
}

int restore_wait(struct restore *r, int *ret_wait_status)
{
	_cleanup_close_ int terminal = r->opts->shell_job ? open_at(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY, 0) : -1;
	struct job job = { .terminal = terminal, .own = getpgrp() };
	sigset_t set;

	job.in_front = is_in_front(r, &job);
	block_signals(&set);
	for (;;) {
		siginfo_t info;
		int status;
		pid_t pid = waitpid(r->tool.root_pid, &status, WNOHANG | WUNTRACED);

		if (pid < 0 && errno == ECHILD)
			return fail(-ECHILD, "wait for the restored process %d", r->tool.root_pid);
		if (pid == r->tool.root_pid && !WIFSTOPPED(status)) {
			take_terminal_back(&job);
			*ret_wait_status = status;
			return 0;
		}
		if (pid == r->tool.root_pid)
			stop_with_tree(r, &job);
		else if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD)
			pass_on(r, &job, &info);
	}
}
