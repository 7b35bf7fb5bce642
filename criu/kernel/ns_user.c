/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/ns_user.h"
#include <errno.h>
#include <linux/nsfs.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of a process with its own memory: other credentials would change who may inspect ours. Returns an errno. */
static int create_and_stop(pid_t tool, uid_t owner, bool accessible)
{
	/* It has our descriptors, and must not be traced by that user. */
	if (owner != geteuid() && prctl(PR_SET_DUMPABLE, 0) < 0)
		return errno;
	/* Where ordinary users may not create any, the capabilities are needed. */
	if (owner != geteuid())
		prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
	if (owner != geteuid() && syscall(SYS_setresuid, -1, owner, -1) < 0)
		return errno;
	if (unshare(CLONE_NEWUSER) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return errno;
	if (accessible && prctl(PR_SET_DUMPABLE, 1) < 0)
		return errno;
	if (getppid() != tool)
		return ECANCELED;
	kill(getpid(), SIGSTOP);
	return 0;
}

static int wait_for(pid_t pid, int *ret_status)
{
	/* It sends no signal when it exits: __WALL. */
	while (waitpid(pid, ret_status, WUNTRACED | __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int ns_user_make(uid_t owner, bool accessible, int (*fill)(pid_t pid, void *arg), void *arg, int *ret_result)
{
	pid_t tool = getpid(), pid = (pid_t)syscall(SYS_clone, 0ul, NULL, NULL, NULL, 0ul);
	int status = 0, err, ended;

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(create_and_stop(tool, owner, accessible));
	err = wait_for(pid, &status);
	if (!err && WIFEXITED(status))
		return WEXITSTATUS(status) ? -WEXITSTATUS(status) : -ECHILD;
	if (!err && WIFSIGNALED(status))
		return -ECHILD;
	if (!err)
		*ret_result = fill(pid, arg);
	kill(pid, SIGKILL);
	ended = wait_for(pid, &status);
	return err ? err : ended;
}

bool ns_user_owns(int user, int ns)
{
	int at = ioctl(ns, NS_GET_USERNS);
	struct stat wanted, st;
	bool found = false;

	/* EPERM: of one that is neither ours nor below it. */
	while (at >= 0 && !found) {
		const int parent = ioctl(at, NS_GET_PARENT);

		found = !fstat(user, &wanted) && !fstat(at, &st) && wanted.st_ino == st.st_ino;
		close(at);
		at = parent;
	}
	if (at >= 0)
		close(at);
	return found;
}
