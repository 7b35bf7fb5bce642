// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orphans that a subreaper, or the init, has adopted, and whose session has a leader that is not a child of that one: it lives, below
 * another task; it is a zombie, of the adopter or of another task.
 * test: flavours=host,pid,user,nested breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/wait.h>

static pid_t root;

static int remember(const char *name)
{
	pid_t sid = getsid(0), pgid = getpgid(0), ppid = getppid();
	int reaper = 0, after = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	checkpoint_task(name, 0);
	if (test_break() == 1)
		setsid();
	prctl(PR_GET_CHILD_SUBREAPER, &after);
	check(getsid(0) == sid, "%s: session %d was %d", name, getsid(0), sid);
	check(getpgid(0) == pgid, "%s: group %d was %d", name, getpgid(0), pgid);
	check(getppid() == ppid, "%s: parent %d was %d", name, getppid(), ppid);
	check(reaper == after, "%s: subreaper", name);
	return 0;
}

static int orphaned(void *arg)
{
	char up[64];

	snprintf(up, sizeof(up), "%s: up", (char *)arg);
	task_ready(up);
	while (getppid() != root)
		sleep_ms(1);
	return remember(arg);
}

/* Leads a session that an orphan is in, and one that has a group of its own. */
static int leader(void *arg)
{
	pid_t lost;

	setsid();
	lost = fork();
	if (!lost) {
		fork_task(orphaned, "of a leader");
		await_task("of a leader: up");
		_exit(0);
	}
	waitpid(lost, NULL, 0);
	await_task("of a leader");
	return remember("leader");
}

static int above(void *arg)
{
	pid_t pid = fork_task(leader, NULL);

	await_task("leader");
	remember("above");
	join_task(pid);
	return 0;
}

/* Exits, and is not waited for. */
static int zombie(void *arg)
{
	char up[64];

	snprintf(up, sizeof(up), "%s: up", (char *)arg);
	setsid();
	fork_task(orphaned, arg);
	await_task(up);
	return 7;
}

/* /proc may have other numbers. */
static void await_zombie(pid_t pid)
{
	siginfo_t info;

	need(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), "zombie (errno %d)", errno);
}

static int above_zombie(void *arg)
{
	pid_t pid = fork_task(zombie, "of a zombie elsewhere");
	int status;

	await_zombie(pid);
	await_task("of a zombie elsewhere");
	remember("above a zombie");
	check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7, "the zombie");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t own;
	int status, reaped = 0;

	test_init(argc, argv);
	root = getpid();
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	fork_task(above, NULL);
	fork_task(above_zombie, NULL);
	own = fork_task(zombie, "of a zombie");
	await_task("above");
	await_task("above a zombie");
	await_zombie(own);
	await_task("of a zombie");
	if (checkpoint_here() == 2)
		waitpid(own, &status, 0);
	check(waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 7, "the zombie");
	while (waitpid(-1, &status, 0) > 0) {
		check(WIFEXITED(status) && !WEXITSTATUS(status), "status %#x", status);
		reaped++;
	}
	/* two of those above, three orphans */
	check(reaped == 5, "%d children", reaped);
	test_done();
}
