/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/reap.h"
#include <compel/compel.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "parasite_blob.h"
#include "pie/wire.h"

/* Orphans of a process that ignores SIGCHLD do not become zombies. Or it is another process's child by now. */
static int result(long value, struct reaped child)
{
	if (value == child.inside || (value == -ECHILD && kill(child.pid, 0) < 0 && errno == ESRCH))
		return 0;
	return value < 0 && value != -ECHILD ? (int)value : -EBUSY;
}

/* The process runs with a zombie for a moment if we die. */
static int end_and_wait(struct compel_ctl *ctl, const struct reaping *r)
{
	const unsigned long args[6] = { (unsigned long)r->child.inside, 0, __WALL | WNOHANG };
	long value = 0;
	int err;

	r->end(r->arg);
	err = compel_syscall(ctl, SYS_wait4, args, &value);
	return err ? err : result(value, r->child);
}

static int infect(struct compel_ctl *ctl, pid_t child, bool take_signal)
{
	const struct parasite_reap args = { .pid = child, .take_signal = take_signal };
	int err = compel_infect(ctl, &parasite_blob, sizeof(args));

	return err ? err : compel_args_write(ctl, 0, &args, sizeof(args));
}

static void set_awaited(const struct reaping *r, pid_t child)
{
	if (r->awaited)
		atomic_store(r->awaited, child);
}

int reap_in(pid_t tid, const struct reaping *r)
{
	struct compel_ctl *ctl;
	long value = 0;
	int cured, err = compel_open(tid, &ctl);

	if (err)
		return err;
	err = infect(ctl, r->child.inside, r->take_signal);
	if (!err) {
		set_awaited(r, r->child.pid);
		err = compel_command_with(ctl, PARASITE_REAP, r->end, r->arg, &value);
		set_awaited(r, 0);
	}
	if (!err)
		err = result(value, r->child);
	else if (err == -EOPNOTSUPP)
		err = end_and_wait(ctl, r);
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
	err = infect(ctl, getpid(), true);
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
