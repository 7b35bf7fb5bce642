// SPDX-License-Identifier: LGPL-2.1-only
/*
 * The last step of a restore: unmaps the memory that a thread runs in, and continues it as its program.
 *
 * We created the thread and its process, and know where it waits: nothing need be queried. The cave is at the end of
 * their vDSO, a copy of ours: our own shows where it is unused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "ctl.h"

struct compel_finish {
	pid_t tid;
	int mem;
	uint64_t cave;
	const struct compel_thread_state *after;
	int err; /* of the steps so far */
	size_t size; /* of the cave's contents, which follow: */
	char code[];
};

/* For a process of which the vDSO is unknown. */
static int finish_anywhere(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region)
{
	const struct cure keep = { .mode = CURE_KEEP };
	const unsigned long args[6] = { region->start, region->len };
	struct compel_ctl *ctl;
	long ret = 0;
	int err = after->xsave ? arch_write_xstate(tid, after->xsave, after->xsave_len) : 0, e;

	if (!err)
		err = ctl_open(tid, after, &ctl);
	if (err)
		return err;
	/* Once the thread is borrowed it completes the rest by itself if we die. */
	ctl->main.cure = (struct cure){ CURE_UNMAP_NOW, region->start, region->len };
	err = thread_borrow(ctl, &ctl->main);
	if (!err)
		err = thread_call(ctl, &ctl->main, &(struct injected_call){ SYS_munmap, args, &keep }, &ret);
	if (!err && ret < 0)
		err = ctl_set_error(NULL, (int)ret, "cannot unmap %#lx", (unsigned long)region->start);
	e = compel_cure(ctl);
	return err ? err : e;
}

static int free_finish(struct compel_finish *f, int err)
{
	if (f->mem >= 0)
		close(f->mem);
	free(f);
	return err;
}

static int resume(pid_t tid, int sig)
{
	return ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)sig) ? -errno : 0;
}

static int await_call(pid_t tid)
{
	int pass, stop;

	while ((stop = target_next_stop(tid, &pass)) == -EAGAIN) {
		int err = resume(tid, pass);

		if (err)
			return err;
	}
	return stop > 0 ? -EFAULT : stop;
}

/* The call is made in the cave: if we die the thread continues from there, and restores the rest by itself. */
static int start_call(struct compel_finish *f, const struct compel_region *region)
{
	const unsigned long args[6] = { region->start, region->len };
	struct compel_regs regs = f->after->regs;
	int err;

	if (f->after->xsave) {
		err = arch_write_xstate(f->tid, f->after->xsave, f->after->xsave_len);
		if (err)
			return err;
	}
	f->mem = target_mem_open(f->tid);
	if (f->mem < 0)
		return f->mem;
	arch_cave_fill(f->code, &f->after->regs, f->after->sigmask);
	err = target_write(f->mem, f->tid, f->cave, f->code, f->size);
	if (err)
		return err;
	arch_call_regs(&regs, f->cave, &(struct cure){ CURE_UNMAP_NOW, region->start, region->len }, SYS_munmap, args);
	err = arch_write_regs(f->tid, &regs);
	return err ? err : resume(f->tid, 0);
}

int compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			struct compel_finish **ret_finish)
{
	uint64_t offset = region->vdso ? cave_in_own_vdso() : 0;
	struct compel_finish *f;
	int err;

	*ret_finish = NULL;
	if (!offset)
		return finish_anywhere(tid, after, region);
	f = calloc(1, sizeof(*f) + arch_cave_size());
	if (!f)
		return -ENOMEM;
	*f = (struct compel_finish){
		.tid = tid, .mem = -1, .cave = region->vdso + offset, .after = after, .size = arch_cave_size()
	};
	err = start_call(f, region);
	if (err)
		return free_finish(f, err);
	*ret_finish = f;
	return 0;
}

void compel_finish_continue(struct compel_finish *f)
{
	if (!f)
		return;
	f->err = await_call(f->tid);
	if (!f->err)
		f->err = resume(f->tid, 0);
}

int compel_finish_end(struct compel_finish *f)
{
	struct compel_regs regs;
	int err, e;

	if (!f)
		return 0;
	err = f->err ? f->err : await_call(f->tid);
	if (!err)
		err = arch_read_regs(f->tid, &regs);
	if (!err && arch_call_value(&regs) < 0)
		err = (int)arch_call_value(&regs);
	/* Both are tried even if one fails: a thread restored by half would crash. */
	e = target_set_sigmask(f->tid, f->after->sigmask);
	err = err ? err : e;
	state_final_regs(f->tid, f->after, &regs);
	e = arch_write_regs(f->tid, &regs);
	if (!e) {
		memset(f->code, 0, f->size);
		target_write(f->mem, f->tid, f->cave, f->code, f->size);
	}
	return free_finish(f, err ? err : e);
}
