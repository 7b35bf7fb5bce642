// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Handlers, pending signals, alternate stack. */
#include <compel/pie.h>
#include "base/bits.h"
#include "restorer.h"

enum {
	SIG_KILL = 9,
	SIG_CHLD = 17,
	SIG_STOP = 19,
	INFO_SIZE = 128,
	ALTSTACK_NONE = 2, /* SS_DISABLE */
};

int restore_sigactions(struct wire_task *task)
{
	if (!task->set_sigactions)
		return 0;
	for (int sig = 1; sig <= PARASITE_NR_SIG; sig++) {
		const struct parasite_sigaction *w = &task->sigactions[sig - 1];
		struct sys_sigaction act = { .handler = (void *)w->handler,
					     .flags = w->flags,
					     .restorer = (void *)w->restorer,
					     .mask = w->mask };

		if (sig == SIG_KILL || sig == SIG_STOP || !(task->differing_sigactions & BIT(sig - 1)))
			continue;
		long err = sys_rt_sigaction(sig, &act, NULL, sizeof(act.mask));
		if (err < 0)
			return restorer_fail_nr(task, err, "set the handler of signal", sig);
	}
	return 0;
}

/* A thread may send itself any si_code, including those of the kernel. */
int restore_private_signals(struct wire_thread *thread)
{
	char *info = (char *)thread->pending.infos;

	for (uint32_t i = 0; i < thread->pending.nr; i++, info += INFO_SIZE) {
		int sig = *(int *)info;
		long err = sys_rt_tgsigqueueinfo(task_of(thread)->pid, thread->tid, sig, info);

		if (err < 0)
			return restorer_fail_nr(task_of(thread), err, "queue for a thread the signal", sig);
	}
	return 0;
}

/* SIGCHLDs caused by our helpers and the restored zombies: those that were pending in the task are queued below. */
static void drop_sigchld(void)
{
	struct {
		int64_t sec, nsec;
	} at_once = { 0, 0 };
	uint64_t set = BIT(SIG_CHLD - 1);

	while (sys_rt_sigtimedwait(&set, NULL, &at_once, sizeof(set)) > 0)
		;
}

int restore_shared_signals(struct wire_task *task)
{
	char *info = (char *)task->pending.infos;

	if (!(((const struct wire_thread *)task->threads)->inherited & INHERITED_NO_SIGCHLD))
		drop_sigchld();
	for (uint32_t i = 0; i < task->pending.nr; i++, info += INFO_SIZE) {
		int sig = *(int *)info;
		long err = sys_rt_sigqueueinfo(task->pid, sig, info);

		if (err < 0)
			return restorer_fail_nr(task, err, "queue the signal", sig);
	}
	return 0;
}

int restore_altstack(struct wire_thread *thread)
{
	struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack = { thread->altstack_sp, thread->altstack_flags, 0, thread->altstack_size };
	long err;

	/* No new thread has one. */
	if (thread->index && thread->altstack_flags == ALTSTACK_NONE)
		return 0;
	err = sys_sigaltstack(&stack, NULL);

	return err < 0 ? restorer_fail(task_of(thread), err, "set the alternate stack of signals") : 0;
}
