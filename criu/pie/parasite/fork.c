/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In pie/: no libc, no globals, direct system calls only.
 *
 * A copy of the current address space, for the dumper to read from while the process runs. The process must not notice:
 * a helper that shares its memory (created in no time) creates the copy and exits, and is waited for here. Both start
 * stopped for the dumper (CLONE_PTRACE). If the dumper dies, at any instant, the helper runs to its end, the copy to
 * its own (as an orphan), and the process reaps the helper.
 *
 * The copy becomes an orphan or, like the helper (CLONE_PARENT), a child of the process without an exit signal, which
 * wait(2) sees with __WALL or __WCLONE only: criu/dump/copies.c makes the process reap it, even if the dumper is dead.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "pie/wire.h"
#include "parasite.h"

enum { SET_NAME = 15 };

/* If it exited it would be a zombie at once, and maybe send a signal: the guard stops the parent before it kills it. */
static void wait_for_guard(pid_t guard)
{
	const int64_t pause[2] = { 0, 50000000 };

	while (sys_call2(__NR_kill, guard, 0) != -ESRCH)
		sys_nanosleep(pause, NULL);
}

static int make_copy(void *arg)
{
	struct parasite_fork_state *f = arg;
	unsigned long parent = f->is_child ? CLONE_PARENT : 0;
	long pid;

	sys_prctl(SET_NAME, (unsigned long)PARASITE_COPY_NAME, 0, 0, 0);
	/* The copy must not get signals for the process group. */
	sys_call0(__NR_setsid);
	/* A new, empty table, without closing anything: the copy keeps no pipe open and no lock. */
	pid = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
	if (!pid)
		pid = sys_clone(CLONE_PTRACE | CLONE_FILES | parent, NULL, NULL, NULL, 0);
	if (!pid && f->is_child)
		wait_for_guard(f->guard);
	if (!pid)
		sys_exit_group(0);
	f->copy = pid;
	return 0;
}

long parasite_fork(struct parasite_fork_state *f)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PTRACE | CLONE_PARENT_SETTID,
		.parent_tid = (uint64_t)&f->helper,
		.stack = (uint64_t)f->stack & ~15ull,
		.stack_size = sizeof(f->stack) - 16,
	};
	long pid = sys_clone3_run(&args, sizeof(args), make_copy, f);
	long got;

	if (pid < 0)
		return pid;
	do /* It is traced by the dumper until that has waited for it. */
		got = sys_wait4(pid, NULL, __WALL, NULL);
	while (got == -EINTR);
	return 0;
}
