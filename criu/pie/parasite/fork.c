/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In pie/: no libc, no globals, direct system calls only.
 *
 * A copy of the address space as it is now, for the dumper to read from while the process goes on. The process must
 * not notice: so a helper that shares its memory (made in no time) makes the copy and ends, the copy is reparented,
 * and the helper is waited for here. Both are born stopped for the dumper (CLONE_PTRACE). If that dies, at whatever
 * instant, the helper goes on to its end, the copy goes on to its own, and the process finds the helper ended.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "pie/wire.h"
#include "parasite.h"

static int make_copy(void *arg)
{
	struct parasite_fork_state *f = arg;
	long pid;

	/* A table of its own, empty, without closing anything: no pipe and no lock of the process hangs on the copy. */
	pid = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
	if (!pid)
		pid = sys_clone(CLONE_PTRACE | CLONE_FILES, NULL, NULL, NULL, 0);
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
	do /* It is the dumper's until that has waited for it. */
		got = sys_wait4(pid, NULL, __WALL, NULL);
	while (got == -EINTR);
	return 0;
}
