// SPDX-License-Identifier: GPL-2.0-only
/* Handlers, masks, pending signals, alternate stacks. signal(7), sigaction(2), ptrace(2) PTRACE_PEEKSIGINFO */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "long_queue.h"
#include "run/dump.h"
#include "run/restore.h"
#include "sigqueue.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum {
	NR_ACTIONS = PARASITE_NR_SIG - 2, /* all but SIGKILL and SIGSTOP: in the image by number, without those two */
	PEEK_BATCH = 32,
	LONG_QUEUE = 2048, /* read one by one in a few ms; ten times as many would take a second */
	QUEUE_MAX = 1 << 20,
};
#define ALTSTACK_AUTODISARM (1u << 31)
#define UNBLOCKABLE (BIT(SIGKILL - 1) | BIT(SIGSTOP - 1))

_Static_assert(sizeof(siginfo_t) == SIGINFO_SIZE, "siginfo_t of the kernel");

/* Signal number of the @i'th entry. */
static int action_signal(size_t i)
{
	int sig = (int)i + 1;

	sig += sig >= SIGKILL;
	sig += sig >= SIGSTOP;
	return sig;
}

/* ---- dump ---- */

static int save_actions(struct dump *dump, const struct dump_task *task, TaskCoreEntry *tc)
{
	tc->sigactions = dump_alloc(dump, NR_ACTIONS * sizeof(*tc->sigactions));
	SaEntry *e = dump_alloc(dump, NR_ACTIONS * sizeof(*e));
	if (!tc->sigactions || !e)
		return no_memory("signal handlers");
	for (size_t i = 0; i < NR_ACTIONS; i++, e++) {
		const struct parasite_sigaction *act = &task->parasite->sigactions[action_signal(i) - 1];

		sa_entry__init(e);
		e->sigaction = act->handler;
		e->flags = act->flags;
		e->restorer = act->restorer;
		e->mask = act->mask;
		e->has_compat_sigaction = true;
		tc->sigactions[i] = e;
	}
	tc->n_sigactions = NR_ACTIONS;
	return 0;
}

/* A timer's signal contains a private number of the kernel, which must not be restored. */
static void clear_private(siginfo_t *si)
{
	if (si->si_code == SI_TIMER)
		memset((char *)si + 32, 0, 4); /* si_sys_private */
}

/* The pending signals of a process, or of a thread. */
struct queue {
	pid_t host_tid;
	bool shared;
	SignalQueueEntry *entry;
	size_t cap; /* of entry->signals */
};

static int add_signals(struct dump *dump, const siginfo_t *infos, size_t n, struct queue *queue)
{
	SignalQueueEntry *q = queue->entry;

	if (q->n_signals + n > queue->cap) {
		size_t room = MAX_OF(queue->cap * 2, q->n_signals + n);
		SiginfoEntry **v = dump_alloc(dump, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		if (q->n_signals)
			memcpy(v, q->signals, q->n_signals * sizeof(*v));
		q->signals = v;
		queue->cap = room;
	}
	for (size_t i = 0; i < n; i++) {
		SiginfoEntry *e = dump_alloc(dump, sizeof(*e));
		siginfo_t *si = dump_alloc(dump, SIGINFO_SIZE);

		if (!e || !si)
			return -ENOMEM;
		siginfo_entry__init(e);
		memcpy(si, &infos[i], SIGINFO_SIZE);
		clear_private(si);
		e->siginfo.data = (uint8_t *)si;
		e->siginfo.len = SIGINFO_SIZE;
		q->signals[q->n_signals++] = e;
	}
	return 0;
}

/* Those after the ones already read, until there are @max or no more of them. */
static int peek_signals(struct dump *dump, struct queue *queue, size_t max)
{
	const SignalQueueEntry *q = queue->entry;
	siginfo_t infos[PEEK_BATCH];
	int n;

	do {
		n = sigqueue_peek(queue->host_tid, queue->shared, q->n_signals, infos, PEEK_BATCH);
		if (n < 0)
			return fail(n, "thread %d: read pending signals", queue->host_tid);
		if (add_signals(dump, infos, (size_t)n, queue))
			return no_memory("pending signals");
	} while (n == PEEK_BATCH && q->n_signals < max);
	return 0;
}

/* -EAGAIN: @all does not start with those already in @queue. */
static int add_rest(struct dump *dump, struct pending_signals *all, struct queue *queue)
{
	const SignalQueueEntry *q = queue->entry;

	for (size_t i = 0; i < all->n; i++) {
		clear_private(&all->v[i]);
		if (i < q->n_signals && memcmp(&all->v[i], q->signals[i]->siginfo.data, SIGINFO_SIZE))
			return -EAGAIN;
	}
	if (all->n < q->n_signals)
		return -EAGAIN;
	return add_signals(dump, all->v + q->n_signals, all->n - q->n_signals, queue);
}

static int save_queue(struct dump *dump, const struct dump_task *task, pid_t host_tid, bool shared,
		      SignalQueueEntry **ret_queue)
{
	SignalQueueEntry *q = dump_alloc(dump, sizeof(*q));
	struct queue queue = { host_tid, shared, q, 0 };
	struct pending_signals all = { 0 };
	int err;

	if (!q)
		return no_memory("pending signals");
	signal_queue_entry__init(q);
	*ret_queue = q;
	err = peek_signals(dump, &queue, LONG_QUEUE);
	if (err || q->n_signals < LONG_QUEUE)
		return err;
	err = long_queue_read(dump, task, host_tid, shared, &all);
	if (!err)
		err = add_rest(dump, &all, &queue);
	array_free(&all);
	if (err == -ENOMEM)
		return no_memory("pending signals");
	if (err)
		err = peek_signals(dump, &queue, QUEUE_MAX + 1);
	if (!err && q->n_signals > QUEUE_MAX)
		return fail(-E2BIG, "thread %d: more than %d pending signals", host_tid, (int)QUEUE_MAX);
	return err;
}

/* While a timer's signal is pending, the kernel counts its overruns elsewhere: the parasite has read them. */
static void note_overruns(const struct parasite_task *in, SignalQueueEntry *q)
{
	for (size_t i = 0; i < q->n_signals; i++) {
		siginfo_t *si = (siginfo_t *)q->signals[i]->siginfo.data;

		for (uint32_t t = 0; si->si_code == SI_TIMER && t < in->nr_timers; t++)
			if (in->timers[t].id == si->si_timerid && in->timers[t].signo == si->si_signo)
				si->si_overrun = in->timers[t].overrun;
	}
}

static int signals_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	if (!task->parasite || !task->nr_threads)
		return fail(-ENODATA, "signal handlers: no parasite data");
	core->tc->blk_sigset = task->threads[0].cpu.sigmask;
	int err = save_actions(dump, task, core->tc);
	if (!err)
		err = save_queue(dump, task, task->t.host_pid, true, &core->tc->signals_s);
	if (!err)
		note_overruns(task->parasite, core->tc->signals_s);
	return err;
}

static int signals_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	ThreadCoreEntry *tce = core->thread_core;
	ThreadSasEntry *sas = dump_alloc(dump, sizeof(*sas));

	if (!sas)
		return no_memory("alternate stack");
	thread_sas_entry__init(sas);
	sas->ss_sp = thread->parasite.altstack_sp;
	sas->ss_size = thread->parasite.altstack_size;
	sas->ss_flags = thread->parasite.altstack_flags;
	tce->sas = sas;
	/* CRIU stores the leader's mask in the task's part. */
	if (thread != &task->threads[0]) {
		tce->has_blk_sigset = true;
		tce->blk_sigset = thread->cpu.sigmask;
	}
	return thread->stand_in ? 0 : save_queue(dump, task, thread->id.host_tid, false, &tce->signals_p);
}

/* Only signals that are handled or ignored need to be queried. */
static int signals_query(struct dump *dump, struct dump_task *task)
{
	task->parasite->want_sigactions = task->status.sig_caught | task->status.sig_ignored;
	return 0;
}

/* ---- restore ---- */

static int check_action(pid_t pid, int sig, const SaEntry *e)
{
	if (e->has_compat_sigaction && e->compat_sigaction)
		return core_refuse(pid, "tc.sigactions: signal %d has a 32-bit handler", sig);
	if (e->has_mask_extended && e->mask_extended)
		return core_refuse(pid, "tc.sigactions: signal %d: this architecture has only 64 signals", sig);
	return 0;
}

/* *ret_stop: a SIGSTOP is pending, which will stop the task as soon as it runs. */
static int check_queue(pid_t tid, const char *name, const SignalQueueEntry *q, bool *ret_stop)
{
	if (!q)
		return 0;
	if (q->n_signals > QUEUE_MAX)
		return core_refuse(tid, "%s: %zu signals", name, q->n_signals);
	for (size_t i = 0; i < q->n_signals; i++) {
		const ProtobufCBinaryData *d = &q->signals[i]->siginfo;
		int sig;

		if (d->len != SIGINFO_SIZE)
			return core_refuse(tid, "%s: signal %zu: siginfo has %zu bytes, not %d", name, i, d->len,
					   SIGINFO_SIZE);
		memcpy(&sig, d->data, sizeof(sig));
		if (sig < 1 || sig > PARASITE_NR_SIG || sig == SIGKILL)
			return core_refuse(tid, "%s: signal %zu: si_signo is %d", name, i, sig);
		if (sig == SIGSTOP)
			*ret_stop = true;
	}
	return 0;
}

/* SIGSTOP cannot be blocked during the restore: the task is restored as stopped, which is the eventual state. */
static void note_stop(struct restore_task *task, bool stop)
{
	if (stop && task->t.state == TASK_ALIVE) {
		task->t.state = TASK_STOPPED;
		task->t.stop_signal = SIGSTOP;
	}
}

static int signals_load(struct restore *r, struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;
	pid_t pid = task->t.pid;
	bool stop = false;

	if (tc->n_sigactions > NR_ACTIONS)
		return core_refuse(pid, "tc.sigactions: %zu of them, expected %d", tc->n_sigactions, NR_ACTIONS);
	for (size_t i = 0; i < tc->n_sigactions; i++) {
		int err = check_action(pid, action_signal(i), tc->sigactions[i]);
		if (err)
			return err;
	}
	if (tc->has_blk_sigset_extended && tc->blk_sigset_extended)
		return core_refuse(pid, "tc.blk_sigset_extended: this architecture has only 64 signals");
	int err = check_queue(pid, "tc.signals_s", tc->signals_s, &stop);
	if (err)
		return err;
	note_stop(task, stop);
	return fresh_child_need(&r->plan.fresh_child, FRESH_PROC);
}

static int signals_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	pid_t tid = thread->id.tid;
	bool stop = false;

	if (!tce)
		return core_refuse(tid, "thread_core is missing");
	if (tce->sas && (tce->sas->ss_flags & ~(SS_ONSTACK | SS_DISABLE | ALTSTACK_AUTODISARM)))
		return core_refuse(tid, "thread_core.sas.ss_flags is 0x%x", tce->sas->ss_flags);
	int err = check_queue(tid, "thread_core.signals_p", tce->signals_p, &stop);
	if (err)
		return err;
	note_stop(task, stop);
	uint64_t mask = tce->has_blk_sigset ? tce->blk_sigset : task->core->tc ? task->core->tc->blk_sigset : 0;
	thread->cpu.sigmask = mask & ~UNBLOCKABLE;
	return 0;
}

/* @task: leave out signals that its timers will queue themselves. */
static int build_queue(const struct restore_task *task, struct wire_task *wire, const SignalQueueEntry *q,
		       struct wire_sigqueue *to)
{
	if (!q || !q->n_signals)
		return 0;
	siginfo_t *infos = wire_alloc(wire, q->n_signals * SIGINFO_SIZE);
	if (!infos)
		return no_memory("pending signals");
	for (size_t i = 0; i < q->n_signals; i++) {
		siginfo_t *si = &infos[to->nr];

		memcpy(si, q->signals[i]->siginfo.data, SIGINFO_SIZE);
		clear_private(si);
		bool timer = task && si->si_code == SI_TIMER && sigqueue_overruns(task, si->si_timerid) >= 0;
		if (si->si_signo != SIGSTOP && !timer)
			to->nr++;
	}
	to->infos = (uint64_t)(uintptr_t)infos;
	return 0;
}

static size_t queue_size(const SignalQueueEntry *q)
{
	return q ? q->n_signals * SIGINFO_SIZE : 0;
}

static size_t signals_wire_size(struct restore *r, const struct restore_task *task)
{
	size_t size = queue_size(task->core->tc->signals_s);

	for (size_t i = 0; i < task->nr_threads; i++)
		size += queue_size(task->threads[i].core->thread_core->signals_p);
	return size;
}

static int signals_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const TaskCoreEntry *tc = task->core->tc;
	const struct parasite_sigaction none = { 0 };

	wire->set_sigactions = task->sighand_owner || tc->n_sigactions;
	for (size_t i = 0; i < tc->n_sigactions; i++) {
		const SaEntry *e = tc->sigactions[i];

		wire->sigactions[action_signal(i) - 1] =
			(struct parasite_sigaction){ e->sigaction, e->flags, e->restorer, e->mask };
	}
	wire->differing_sigactions = r->plan.fresh_child.signals_not_default;
	for (int sig = 1; sig <= PARASITE_NR_SIG; sig++)
		if (memcmp(&wire->sigactions[sig - 1], &none, sizeof(none)))
			wire->differing_sigactions |= BIT(sig - 1);
	return build_queue(task, wire, tc->signals_s, &wire->pending);
}

static int signals_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				    struct wire_thread *wire)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;

	/* Nobody whose end it is told has ended. */
	if (!task->forks && list_empty(&task->t.children))
		wire->inherited |= INHERITED_NO_SIGCHLD;
	wire->altstack_flags = SS_DISABLE;
	if (tce->sas) {
		wire->altstack_sp = tce->sas->ss_sp;
		wire->altstack_size = tce->sas->ss_size;
		wire->altstack_flags = tce->sas->ss_flags;
	}
	return build_queue(NULL, (struct wire_task *)(uintptr_t)wire->task, tce->signals_p, &wire->pending);
}

const struct task_kind signals_kind = {
	.name = "signals",
	.ask = signals_query,
	.save = signals_save,
	.save_thread = signals_save_thread,
	.load = signals_load,
	.load_thread = signals_load_thread,
	.wire_size = signals_wire_size,
	.hand_over = signals_hand_over,
	.hand_over_thread = signals_hand_over_thread,
};
