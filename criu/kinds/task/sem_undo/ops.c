// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "base/bits.h"
#include "internal.h"

int undo_call(const struct undo_caller *caller, long nr, const unsigned long args[static 6], bool *ret_called)
{
	long value = 0;
	int err = caller->tid == caller->leader ? compel_syscall(caller->ctl, nr, args, &value) :
						  compel_thread_syscall(caller->ctl, caller->tid, nr, args, &value);

	*ret_called = !err;
	return err < 0 ? err : value < 0 ? (int)value : 0;
}

int undo_semop(const struct undo_caller *caller, int semid, const struct sembuf *ops, unsigned n, bool *ret_called)
{
	struct iovec local = { (void *)ops, n * sizeof(*ops) };
	struct iovec remote = { (void *)(uintptr_t)caller->scratch, n * sizeof(*ops) };

	*ret_called = false;
	if (n > UNDO_OPS)
		return -E2BIG;
	if (process_vm_writev(caller->leader, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
		return -EFAULT;
	return undo_call(caller, SYS_semop, (unsigned long[6]){ (unsigned long)semid, caller->scratch, n }, ret_called);
}

static struct sembuf operation(unsigned num, int op, bool undo)
{
	return (struct sembuf){ .sem_num = (unsigned short)num,
				.sem_op = (short)op,
				.sem_flg = (short)(IPC_NOWAIT | (undo ? SEM_UNDO : 0)) };
}

unsigned undo_steps(struct sembuf *ops, unsigned num, int by, unsigned value)
{
	bool up = by > 0;
	unsigned n = 0;

	/* A value subtracted with SEM_UNDO is added to the undo value, and vice versa. */
	for (int left = abs(by), step; left; left -= step) {
		struct sembuf plus, minus;

		step = MIN_OF(left, UNDO_HALF - 1);
		plus = operation(num, step, !up);
		minus = operation(num, -step, up);
		ops[n++] = value < UNDO_HALF ? plus : minus;
		ops[n++] = value < UNDO_HALF ? minus : plus;
	}
	return n;
}
