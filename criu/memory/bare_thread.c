/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/bare_thread.h"
#include <compel/jump.h>
#include <compel/syscall.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "base/bits.h"
#include "pie/wire.h"

#define STACK_SIZE (128ul << 10)

/* Between the end of a thread and that of its number: only if somebody traces the thread does it take longer. */
#define WAIT_NS 50000l
#define WAITS_MAX 100000

static long start(struct bare_thread *t, const pid_t *numbers, unsigned levels, int (*fn)(void *), void *arg)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID |
			 CLONE_CHILD_SETTID,
		.child_tid = (uintptr_t)&t->tid,
		.set_tid = (uintptr_t)numbers,
		.set_tid_size = levels,
		/* Below it is a page that must not be reached. */
		.stack = (uintptr_t)t->stack + PAGE_SZ,
		.stack_size = STACK_SIZE - PAGE_SZ,
	};
	sigset_t all, before;
	long tid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	tid = compel_clone(&args, sizeof(args), fn, arg);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return tid;
}

int bare_thread_start(struct bare_thread *t, pid_t number, unsigned levels, int (*fn)(void *), void *arg)
{
	pid_t numbers[PID_LEVELS_MAX];
	void *stack;
	long tid;

	if (levels > PID_LEVELS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < levels; i++)
		numbers[i] = number;
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	mprotect(stack, PAGE_SZ, PROT_NONE);
	*t = (struct bare_thread){ .stack = stack, .number = number, .tid = 1 };
	tid = start(t, numbers, levels, fn, arg);
	if (tid >= 0)
		return 0;
	munmap(stack, STACK_SIZE);
	t->stack = NULL;
	return (int)tid;
}

void bare_thread_end(struct bare_thread *t)
{
	const struct timespec moment = { .tv_nsec = WAIT_NS };
	const pid_t self = getpid();
	uint32_t tid;

	if (!t->stack)
		return;
	while ((tid = atomic_load(&t->tid)))
		sys_call6(__NR_futex, (long)&t->tid, FUTEX_WAIT, (long)tid, 0, 0, 0);
	/* Nothing tells when its number is free. */
	for (int i = 0; i < WAITS_MAX && !sys_call3(__NR_tgkill, self, t->number, 0); i++)
		sys_call6(__NR_futex, (long)&t->tid, FUTEX_WAIT, 0, (long)&moment, 0, 0);
	munmap(t->stack, STACK_SIZE);
	t->stack = NULL;
}
