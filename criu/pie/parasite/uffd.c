/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In pie/: no libc, no globals, direct system calls only.
 *
 * A userfaultfd belongs to the memory of the process that creates it, and it must not be seen in the descriptor table of the
 * program: a helper that shares its memory, but has its own table, creates it and exits. The tracer takes a copy while the
 * helper is stopped on its way out (PTRACE_EVENT_EXIT). If the tracer dies, at any instant, the helper runs to its end, and
 * the descriptor is closed with it.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "pie/wire.h"
#include "parasite.h"

enum { SET_NAME = 15, UFFD_USER_MODE = 1, UFFD_CLOEXEC = 02000000, UFFD_NONBLOCK = 04000 };

static int create(void *arg)
{
	struct parasite_uffd *u = arg;
	long fd;

	sys_prctl(SET_NAME, (unsigned long)PARASITE_UFFD_NAME, 0, 0, 0);
	fd = sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE);
	/* No fault is ever handled by it, so this needs no right. */
	if (!fd)
		fd = sys_call1(__NR_userfaultfd, UFFD_CLOEXEC | UFFD_NONBLOCK | UFFD_USER_MODE);
	u->fd = (int32_t)fd;
	return 0;
}

long parasite_uffd(struct parasite_uffd *u)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PTRACE | CLONE_PARENT_SETTID,
		.parent_tid = (uint64_t)&u->helper,
		.stack = (uint64_t)u->stack & ~15ull,
		.stack_size = sizeof(u->stack) - 16,
	};
	long pid = sys_clone3_run(&args, sizeof(args), create, u);
	long got;

	if (pid < 0)
		return pid;
	do /* It is traced by the dumper until that has waited for it. */
		got = sys_wait4(pid, NULL, __WALL, NULL);
	while (got == -EINTR);
	return 0;
}
