// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions and process groups, also those whose leader has exited; orphans adopted by a subreaper inside the tree.
 * test: flavours=host,pid,container,user,nested,rootless boots=others breaks=1 decode=yes user-root=host
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
	prctl(PR_GET_CHILD_SUBREAPER, &after);
	check(getsid(0) == sid, "%s: session %d was %d", name, getsid(0), sid);
	check(getpgid(0) == pgid, "%s: group %d was %d", name, getpgid(0), pgid);
	check(getppid() == ppid, "%s: parent %d was %d", name, getppid(), ppid);
	check(reaper == after, "%s: subreaper", name);
	return 0;
}

static int plain(void *arg)
{
	return remember(arg);
}

/* Its parent exits once it is running. */
static int orphaned(void *arg)
{
	char up[64];

	snprintf(up, sizeof(up), "%s: up", (char *)arg);
	task_ready(up);
	while (getppid() != root)
		sleep_ms(1);
	return remember(arg);
}

static int own_group(void *arg)
{
	setpgid(0, 0);
	return remember(arg);
}

static int session(void *arg)
{
	pid_t a, b;

	setsid();
	a = fork_task(plain, "in session");
	b = fork_task(own_group, "in session, own group");
	await_task("in session");
	await_task("in session, own group");
	remember("session leader");
	join_task(a);
	join_task(b);
	return 0;
}

/* Leaves children whose session leader and group leaders have exited; the root reaps them. */
static int lost_session(void *arg)
{
	setsid();
	fork_task(orphaned, "lost");
	if (!fork()) {
		setpgid(0, 0);
		fork_task(orphaned, "lost, lost group");
		await_task("lost, lost group: up");
		_exit(0);
	}
	await_task("lost: up");
	await_task("lost, lost group: up");
	return 0;
}

/* A member of the leaderless session that is itself the parent of a new session. */
static int nested(void *arg)
{
	pid_t kid;

	setsid();
	kid = fork();
	if (!kid) {
		pid_t inner = fork_task(session, NULL);

		await_task("session leader");
		while (getppid() != root)
			sleep_ms(1);
		remember("nested");
		join_task(inner);
		_exit(0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kid;
	int status, reaped = 0, reaper = 0;

	test_init(argc, argv);
	root = getpid();
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	kid = fork_task(lost_session, NULL);
	join_task(kid);
	kid = fork_task(nested, NULL);
	join_task(kid);
	await_task("nested");
	await_task("lost");
	await_task("lost, lost group");
	fork_task(own_group, "group");
	await_task("group");

	if (checkpoint_here())
		fork_task(own_group, "more");

	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	check(reaper == 1, "no longer a subreaper");
	while (waitpid(-1, &status, 0) > 0) {
		check(WIFEXITED(status) && !WEXITSTATUS(status), "status %#x", status);
		reaped++;
	}
	/* the dead intermediate process of lost_session, its two children, nested, group */
	check(reaped == 5, "%d children", reaped);
	test_done();
}
