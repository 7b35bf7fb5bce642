// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. What the kernel does when a thread exits; rseq(2). */
#include <compel/pie.h>
#include "restorer.h"

enum { RSEQ_CS_OFFSET = 8 }; /* of the pointer in struct rseq */

int restore_futexes(struct wire_thread *t)
{
	long err = sys_set_robust_list((void *)t->robust_list, t->robust_list_len);

	if (err < 0)
		return restorer_fail(task_of(t), err, "set the robust list");
	if (!t->has_tid_address)
		sys_set_tid_address((int *)t->clear_child_tid);
	return 0;
}

/*
 * A critical section that the thread has left must be cleared: older kernels read it. By a system call: the address is
 * from an image, and may be invalid.
 */
static long forget_section(const struct wire_thread *t)
{
	uint64_t none = 0;
	struct {
		void *base;
		size_t len;
	} from = { &none, sizeof(none) }, to = { (void *)(t->rseq_ptr + RSEQ_CS_OFFSET), sizeof(none) };

	return sys_call6(__NR_process_vm_writev, task_of(t)->pid, (long)&from, 1, (long)&to, 1, 0);
}

int restore_rseq(struct wire_thread *t)
{
	if (!t->rseq_ptr)
		return 0;
	long err = forget_section(t);
	if (err >= 0)
		err = sys_rseq((void *)t->rseq_ptr, t->rseq_size, 0, t->rseq_sig);
	return err < 0 ? restorer_fail(task_of(t), err, "register the rseq area") : 0;
}
