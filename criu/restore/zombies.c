/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes of the tree that have exited, and that their parents have not waited for. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

/* The first process of a pid namespace cannot kill itself; its parent does. */
static bool is_killed_init(const struct restore_task *rt)
{
	return rt->starts_pid_ns && WIFSIGNALED(rt->t.exit_code) && WTERMSIG(rt->t.exit_code) == SIGKILL;
}

_Noreturn void restore_exit_as_zombie(struct restore_task *rt)
{
	int status = rt->t.exit_code, sig = WTERMSIG(status);
	struct rlimit none = { 0, 0 };
	sigset_t mask;

	if (!is_killed_init(rt))
		prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_NAME, rt->t.comm);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	while (is_killed_init(rt))
		pause();
	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	/* A signal that does not terminate by default cannot have killed the original. */
	_exit(128 + sig);
}

int restore_await_zombies(struct restore *r, struct restore_task *rt)
{
	struct task *child;

	list_for_each(child, &rt->t.children, sibling) {
		const pid_t pid = restore_number_seen(r, rt, child->pid);
		siginfo_t info;

		if (child->state != TASK_DEAD)
			continue;
		if (is_killed_init(restore_task_of(child)))
			kill(pid, SIGKILL);
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) < 0)
			return fail(-errno, "wait for zombie %d", child->pid);
	}
	return 0;
}
