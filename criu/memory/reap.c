/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/reap.h"
#include <compel/compel.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "parasite_blob.h"
#include "pie/wire.h"

#define PEEK_AT_ONCE 16

/* Usually it has a pending SIGCHLD: a process that has called execve(2) since is signalled for any child. */
static bool has_sigchld_of(pid_t tid, pid_t child)
{
	struct __ptrace_peeksiginfo_args args = { 0, PTRACE_PEEKSIGINFO_SHARED, PEEK_AT_ONCE };
	siginfo_t infos[PEEK_AT_ONCE];
	long n;

	while ((n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, infos)) > 0) {
		for (long i = 0; i < n; i++)
			if (infos[i].si_signo == SIGCHLD && infos[i].si_pid == child)
				return true;
		args.off += (uint64_t)n;
	}
	return false;
}

static int wait_in(struct compel_ctl *ctl, struct reaped child)
{
	const unsigned long args[6] = { (unsigned long)child.inside, 0, __WALL | WNOHANG };
	long value = 0;
	int err = compel_syscall(ctl, SYS_wait4, args, &value);

	if (err)
		return err;
	/* Orphans of a process that ignores SIGCHLD do not become zombies. Or it is another process's child by now. */
	if (value == child.inside || (value == -ECHILD && kill(child.pid, 0) < 0 && errno == ESRCH))
		return 0;
	return value < 0 && value != -ECHILD ? (int)value : -EBUSY;
}

static int infect(struct compel_ctl *ctl, pid_t child)
{
	const struct parasite_reap args = { .pid = child };
	int err = compel_infect(ctl, &parasite_blob, sizeof(args));

	return err ? err : compel_args_write(ctl, 0, &args, sizeof(args));
}

int reap_in(pid_t tid, struct reaped child, bool take_signal)
{
	struct compel_ctl *ctl;
	long value = 0;
	int cured, err = compel_open(tid, &ctl);

	if (err)
		return err;
	if (!take_signal || !has_sigchld_of(tid, child.inside)) {
		err = wait_in(ctl, child);
	} else {
		err = infect(ctl, child.inside);
		if (!err)
			err = compel_command(ctl, PARASITE_REAP, &value);
		err = err ? err : (int)value;
	}
	cured = compel_cure(ctl);
	return err ? err : cured;
}

static void end_us(void *arg)
{
	syscall(SYS_exit_group, 0);
}

int reap_ourselves_in(pid_t tid)
{
	struct compel_ctl *ctl;
	long value;
	int err = compel_open(tid, &ctl);

	if (err)
		return err;
	err = infect(ctl, getpid());
	if (!err)
		err = compel_command_with(ctl, PARASITE_REAP, end_us, NULL, &value);
	compel_cure(ctl);
	return err;
}

int reap_settle(pid_t tid)
{
	struct compel_ctl *ctl;
	int err = compel_open(tid, &ctl);

	return err ? err : compel_cure(ctl);
}
