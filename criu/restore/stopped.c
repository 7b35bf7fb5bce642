/* SPDX-License-Identifier: GPL-2.0-only */
#include "restore/stopped.h"
#include <errno.h>
#include <sys/uio.h>
#include "kernel/proc_pid.h"

int stopped_peek(pid_t pid, uint64_t addr, void *to, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)addr, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int stopped_call(struct compel_ctl *ctl, long nr, unsigned long a, unsigned long b, unsigned long c)
{
	const unsigned long args[6] = { a, b, c };
	long value;
	int err = compel_syscall(ctl, nr, args, &value);

	return err < 0 ? err : value < 0 ? (int)value : 0;
}

int stopped_end_of_descriptors(const struct restore_task *rt)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct int_array fds = { 0 };
	int end = 0;

	if (proc_open(rt->t.host_pid, &proc) < 0 || proc_fds(&proc, &fds) < 0)
		return 0;
	for (size_t i = 0; i < fds.n; i++)
		end = MAX_OF(end, fds.v[i] + 1);
	array_free(&fds);
	return end;
}
