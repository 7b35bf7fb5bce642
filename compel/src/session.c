// SPDX-License-Identifier: LGPL-2.1-only
/* Opens an address space; runs calls and commands in its main thread and in others. */
#include <errno.h>
#include <stdlib.h>

#include "ctl.h"

static int start(struct compel_ctl *ctl, pid_t tid)
{
	size_t cave_len = (arch_cave_size() + 15) & ~15ul;
	int err;

	ctl->main = (struct borrowed){ .tid = tid, .cure.mode = CURE_KEEP };
	ctl->mem = target_mem_open(tid);
	if (ctl->mem < 0)
		return ctl_set_error(ctl, ctl->mem, "cannot open /proc/%d/mem", tid);
	err = leftovers_finish(ctl, tid);
	if (!err)
		err = cave_place(ctl, 2 * cave_len);
	ctl->main.cave = ctl->cave;
	return err;
}

static int not_opened(struct compel_ctl *ctl, int err)
{
	ctl_set_error(NULL, err, "%s", ctl->error);
	compel_cure(ctl);
	return err;
}

int compel_open_begin(pid_t tid, struct compel_ctl **ret_ctl)
{
	struct compel_ctl *ctl = calloc(1, sizeof(*ctl));
	int err;

	if (!ctl)
		return ctl_set_error(NULL, -ENOMEM, "no memory");
	ctl->mem = -1;
	err = start(ctl, tid);
	if (err)
		return not_opened(ctl, err);
	*ret_ctl = ctl;
	return 0;
}

int compel_open_finish(struct compel_ctl *ctl, const struct compel_snapshot *snapshot)
{
	return thread_prepare(ctl, &ctl->main, snapshot);
}

int ctl_open(pid_t tid, const struct compel_thread_state *after, struct compel_ctl **ret_ctl)
{
	struct compel_ctl *ctl;
	int err = compel_open_begin(tid, &ctl);

	if (err)
		return err;
	ctl->restoring = after != NULL;
	err = thread_prepare(ctl, &ctl->main, NULL);
	if (err)
		return not_opened(ctl, err);
	if (after) {
		/* This includes the segment bases, which no cure sets: from now on the thread has only this state. */
		ctl->main.goal = after->regs;
		state_final_regs(tid, after, &ctl->main.own);
		ctl->main.mask = after->sigmask;
		ctl->main.yield_signal = 0;
	}
	*ret_ctl = ctl;
	return 0;
}

int compel_open(pid_t tid, struct compel_ctl **ret_ctl)
{
	return ctl_open(tid, NULL, ret_ctl);
}

int compel_syscall(struct compel_ctl *ctl, long nr, const unsigned long args[6], long *ret_value)
{
	return thread_call(ctl, &ctl->main, &(struct injected_call){ nr, args, &ctl->main.cure }, ret_value);
}

/* Borrows another thread of the address space; its cave follows the main thread's. */
static int borrow_other(struct compel_ctl *ctl, pid_t tid, const struct compel_snapshot *snapshot,
			const struct cure *cure, struct borrowed *b)
{
	int err;

	*b = (struct borrowed){
		.tid = tid,
		.cave = ctl->cave + ctl->cave_len / 2,
		.cure = *cure,
	};
	err = thread_prepare(ctl, b, snapshot);
	return err ? err : thread_borrow(ctl, b);
}

int compel_thread_syscall(struct compel_ctl *ctl, pid_t tid, long nr, const unsigned long args[6], long *ret_value)
{
	const struct cure keep = { .mode = CURE_KEEP };
	struct borrowed b;
	int err, back;

	if (tid == ctl->main.tid)
		return compel_syscall(ctl, nr, args, ret_value);
	err = borrow_other(ctl, tid, NULL, &keep, &b);
	if (!err)
		err = thread_call(ctl, &b, &(struct injected_call){ nr, args, &b.cure }, ret_value);
	back = thread_restore(ctl, &b);
	return err ? err : back;
}

int compel_command(struct compel_ctl *ctl, unsigned command, long *ret_value)
{
	int err;

	if (!ctl->scratch_len)
		return ctl_set_error(ctl, -EINVAL, "the target contains no blob");
	err = thread_borrow(ctl, &ctl->main);
	return err ? err : thread_enter(ctl, &ctl->main, &ctl->main.cure, command, ret_value);
}

int compel_command_with(struct compel_ctl *ctl, unsigned command, void (*meanwhile)(void *arg), void *arg,
			long *ret_value)
{
	int err;

	if (!ctl->main.yield_signal)
		return ctl_set_error(ctl, -EOPNOTSUPP, "the process handles or blocks every signal");
	ctl->meanwhile_arg = arg;
	ctl->meanwhile = meanwhile;
	err = compel_command(ctl, command, ret_value);
	ctl->meanwhile = NULL;
	return err;
}

static int mark_busy(struct compel_ctl *ctl, uint32_t busy)
{
	return target_write(ctl->mem, ctl->main.tid, ctl->scratch, &busy, sizeof(busy));
}

/*
 * If we die the main thread's cure unmaps the scratch area, so it must be able to tell that another thread is in there.
 * The mark is set only while that thread's own cure would clear it, and is cleared only after that thread has left. Its
 * cure may still try to clear it then: it does so by a call that tolerates an unmapped page.
 */
int compel_thread_command(struct compel_ctl *ctl, pid_t tid, const struct compel_snapshot *snapshot, unsigned command,
			  long *ret_value)
{
	const struct cure leave = { CURE_LEAVE, ctl->scratch, ctl->scratch_len };
	struct borrowed b;
	int err, back;

	if (tid == ctl->main.tid)
		return compel_command(ctl, command, ret_value);
	if (!ctl->scratch_len)
		return ctl_set_error(ctl, -EINVAL, "the target contains no blob");
	err = borrow_other(ctl, tid, snapshot, &leave, &b);
	if (!err) {
		err = mark_busy(ctl, 1);
		if (!err)
			err = thread_enter(ctl, &b, &leave, command, ret_value);
		mark_busy(ctl, 0);
	}
	back = thread_restore(ctl, &b);
	return err ? err : back;
}
