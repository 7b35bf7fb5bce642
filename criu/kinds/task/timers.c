// SPDX-License-Identifier: GPL-2.0-only
/* Interval timers and POSIX timers of a process. setitimer(2), timer_create(2), proc_pid_timers(5) */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include "base/bits.h"
#include "core_image.h"
#include "kernel/clocks.h"
#include "kinds/kinds.h"
#include "pie/timer_rest.h"
#include "run/dump.h"
#include "run/restore.h"
#include "sigqueue.h"
#include "util/log.h"

enum {
	NOTIFY_SIGNAL = 0,
	NOTIFY_NONE = 1,
	NOTIFY_THREAD = 2,
	NOTIFY_TO_THREAD = 4, /* SIGEV_THREAD_ID */
	CLOCK_TYPE_MASK = 7,
	CLOCK_TYPE_FD = 3, /* a clock by descriptor: clock_getres(2), FD_TO_CLOCKID */
	NSEC = 1000000000,
	USEC = 1000000,
	QUEUE_LOOKED_AT = 64,
};

/* Not a clock of CPU time. */
static bool runs_by_itself(int32_t clock)
{
	return clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
}

/* ---- dump ---- */

/* Is its signal pending in a shared queue that contains no other signals of that number than those of such timers? */
static bool is_only_pending(const struct proc_timers *timers, const struct proc_timer *t, const siginfo_t *queue, int n)
{
	bool waits = false;

	for (int i = 0; i < n; i++) {
		const struct proc_timer *of = NULL;

		if (queue[i].si_signo != t->signal)
			continue;
		for (size_t k = 0; queue[i].si_code == SI_TIMER && k < timers->n; k++)
			if (timers->v[k].id == queue[i].si_timerid)
				of = &timers->v[k];
		if (!of || of->to_thread || of->notify == NOTIFY_NONE || !timer_clock_goes_back(of->clock))
			return false;
		waits |= of == t;
	}
	return waits;
}

static int query_timers(struct dump_task *task, const struct proc_timers *timers)
{
	siginfo_t queue[QUEUE_LOOKED_AT];
	int n = timers->n ? sigqueue_peek(task->t.host_pid, true, 0, queue, QUEUE_LOOKED_AT) : 0;

	if (n < 0)
		return fail(n, "read pending signals");
	task->parasite->nr_timers = timers->n;
	for (size_t i = 0; i < timers->n; i++) {
		const struct proc_timer *t = &timers->v[i];
		struct parasite_posix_timer *to = &task->parasite->timers[i];
		bool own = t->signal && (task->threads[0].status.sig_pending & BIT(t->signal - 1));

		to->id = t->id;
		to->clock = t->clock;
		/*
		 * One in the leader's own queue would be delivered first; a queue longer than what we read is left
		 * alone.
		 */
		to->signo = !own && n < QUEUE_LOOKED_AT && is_only_pending(timers, t, queue, n) ? t->signal : 0;
	}
	return 0;
}

/* The timers are at the end of the query. */
static int reserve_space(struct dump_task *task, size_t nr)
{
	size_t len = sizeof(*task->parasite) + nr * sizeof(struct parasite_posix_timer);
	struct parasite_task *longer;

	if (nr > PARASITE_MAX_TIMERS)
		return fail(-E2BIG, "%zu POSIX timers: %d at most", nr, PARASITE_MAX_TIMERS);
	longer = nr ? realloc(task->parasite, len) : task->parasite;
	if (!longer)
		return no_memory("timers");
	memset(longer->timers, 0, nr * sizeof(struct parasite_posix_timer));
	task->parasite = longer;
	task->parasite_len = len;
	return 0;
}

static int timers_query(struct dump *dump, struct dump_task *task)
{
	struct proc_timers timers = { 0 };
	int err = proc_timers_read(&task->proc, &timers);

	/* A kernel without POSIX timers has no such file. */
	if (err < 0 && err != -ENOENT)
		return fail(err, "read /proc/%d/timers", task->t.host_pid);
	err = reserve_space(task, timers.n);
	if (!err)
		err = query_timers(task, &timers);
	array_free(&timers);
	return err;
}

/* Images are of a single moment: the parasite was queried a little earlier. */
static int64_t since_query(const struct dump *dump, const struct dump_task *task)
{
	return dump->stood.monotonic - task->asked_at;
}

static ItimerEntry *save_itimer(struct dump *dump, const struct dump_task *task, int which)
{
	const struct parasite_itimer *t = &task->parasite->itimers[which];
	struct timer_rest rest = { t->interval.sec, t->interval.usec * 1000, t->value.sec, t->value.usec * 1000 };
	ItimerEntry *e = dump_alloc(dump, sizeof(*e));

	if (!e)
		return NULL;
	if (which == ITIMER_REAL)
		timer_rest_after(&rest, since_query(dump, task));
	itimer_entry__init(e);
	e->isec = (uint64_t)t->interval.sec;
	e->iusec = (uint64_t)t->interval.usec;
	e->vsec = (uint64_t)(rest.value_sec + (rest.value_nsec + 999) / NSEC);
	e->vusec = (uint64_t)((rest.value_nsec + 999) % NSEC / 1000);
	return e;
}

static const struct parasite_posix_timer *parasite_timer(const struct parasite_task *in, int id)
{
	for (uint32_t i = 0; i < in->nr_timers; i++)
		if (in->timers[i].id == id)
			return &in->timers[i];
	return NULL;
}

/* The thread's tid in the task's namespace; 0 if the thread has exited. */
static pid_t target_tid(const struct dump_task *task, pid_t host_tid)
{
	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].id.host_tid == host_tid)
			return task->threads[i].id.tid;
	return 0;
}

static int save_timer(struct dump *dump, const struct dump_task *task, const struct proc_timer *t,
		      PosixTimerEntry **ret_e)
{
	const struct parasite_posix_timer *in = parasite_timer(task->parasite, t->id);
	PosixTimerEntry *e = dump_alloc(dump, sizeof(*e));
	struct timer_rest rest;

	if (!e)
		return no_memory("timers");
	if (!in)
		return fail(-ENODATA, "timer %d: no parasite data for its time", t->id);
	rest = (struct timer_rest){ in->interval_sec, in->interval_nsec, in->value_sec, in->value_nsec };
	if (runs_by_itself(t->clock))
		timer_rest_after(&rest, since_query(dump, task));
	posix_timer_entry__init(e);
	e->it_id = (uint32_t)t->id;
	e->clock_id = (uint32_t)t->clock;
	e->si_signo = (uint32_t)t->signal;
	e->it_sigev_notify = (uint32_t)t->notify;
	e->sival_ptr = t->sigval;
	/* Overruns of the last signal that was delivered; those of a pending one are in its siginfo. */
	e->overrun = !in->signo && in->overrun > 0 ? (uint32_t)in->overrun : 0;
	e->isec = (uint64_t)in->interval_sec;
	e->insec = (uint64_t)in->interval_nsec;
	e->vsec = (uint64_t)rest.value_sec;
	e->vnsec = (uint64_t)rest.value_nsec;
	if (t->to_thread) {
		e->notify_thread_id = target_tid(task, t->target);
		e->has_notify_thread_id = e->notify_thread_id != 0;
		/* The thread has exited: this timer has no effect any more. */
		e->it_sigev_notify = e->has_notify_thread_id ? NOTIFY_TO_THREAD : NOTIFY_NONE;
	}
	*ret_e = e;
	return 0;
}

static int save_timers(struct dump *dump, struct dump_task *task, const struct proc_timers *timers, TaskTimersEntry *to)
{
	to->posix = dump_alloc(dump, (timers->n + 1) * sizeof(*to->posix));
	if (!to->posix)
		return no_memory("timers");
	for (size_t i = 0; i < timers->n; i++) {
		if ((timers->v[i].clock & CLOCK_TYPE_MASK) == CLOCK_TYPE_FD && timers->v[i].clock < 0) {
			dump_blocker(dump, task, -1, "timer %d uses a clock device", timers->v[i].id);
			continue;
		}
		if (timers->v[i].clock == CLOCK_REALTIME_ALARM || timers->v[i].clock == CLOCK_BOOTTIME_ALARM)
			dump_need_right(dump, task, NULL, RIGHT_ALARM_CLOCKS, "a timer on an alarm clock");
		int err = save_timer(dump, task, &timers->v[i], &to->posix[to->n_posix]);
		if (err)
			return err;
		to->n_posix++;
	}
	return 0;
}

static int timers_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	TaskTimersEntry *e = dump_alloc(dump, sizeof(*e));
	struct proc_timers timers = { 0 };

	if (!task->parasite)
		return fail(-ENODATA, "timers: no parasite data");
	if (!e)
		return no_memory("timers");
	task_timers_entry__init(e);
	e->real = save_itimer(dump, task, ITIMER_REAL);
	e->virt = save_itimer(dump, task, ITIMER_VIRTUAL);
	e->prof = save_itimer(dump, task, ITIMER_PROF);
	if (!e->real || !e->virt || !e->prof)
		return no_memory("timers");
	/* None has been created since the query. */
	int err = task->parasite->nr_timers ? proc_timers_read(&task->proc, &timers) : 0;
	if (err && err != -ENOENT)
		err = fail(err, "read /proc/%d/timers", task->t.host_pid);
	else
		err = save_timers(dump, task, &timers, e);
	array_free(&timers);
	core->tc->timers = e;
	return err;
}

/* ---- restore ---- */

static int check_itimer(pid_t pid, const char *name, const ItimerEntry *e)
{
	if (e->iusec >= USEC || e->vusec >= USEC || e->isec > INT64_MAX || e->vsec > INT64_MAX)
		return core_refuse(pid, "tc.timers.%s is not a valid time", name);
	return 0;
}

static bool clock_ok(int32_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
		return true;
	}
	return clock < 0 && (clock & CLOCK_TYPE_MASK) != CLOCK_TYPE_FD;
}

static bool has_thread(const struct restore_task *task, pid_t tid)
{
	for (size_t i = 0; i < task->nr_threads; i++)
		if (task->threads[i].id.tid == tid)
			return true;
	return false;
}

static int check_timer(const struct restore_task *task, const PosixTimerEntry *e)
{
	uint32_t notify = e->it_sigev_notify, id = e->it_id;
	pid_t pid = task->t.pid;

	if (id > INT_MAX)
		return core_refuse(pid, "tc.timers.posix: it_id %u", id);
	if (!clock_ok((int32_t)e->clock_id))
		return core_refuse(pid, "tc.timers.posix: timer %u: unknown clock %d", id, (int32_t)e->clock_id);
	if (notify > NOTIFY_THREAD && notify != NOTIFY_TO_THREAD)
		return core_refuse(pid, "tc.timers.posix: timer %u: it_sigev_notify %u", id, notify);
	if (notify != NOTIFY_NONE && (e->si_signo < 1 || e->si_signo > PARASITE_NR_SIG))
		return core_refuse(pid, "tc.timers.posix: timer %u: si_signo %u", id, e->si_signo);
	if (notify == NOTIFY_TO_THREAD && (!e->has_notify_thread_id || !has_thread(task, e->notify_thread_id)))
		return core_refuse(pid, "tc.timers.posix: timer %u: no thread %d", id, e->notify_thread_id);
	if (e->insec >= NSEC || e->vnsec >= NSEC || e->isec > INT64_MAX || e->vsec > INT64_MAX)
		return core_refuse(pid, "tc.timers.posix: timer %u: invalid interval or value", id);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct wire_posix_timer *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Two timers with the same id cannot both be created. */
static int check_unique(pid_t pid, const TaskTimersEntry *e)
{
	uint32_t *ids = malloc((e->n_posix + 1) * sizeof(*ids));
	int err = 0;

	if (!ids)
		return no_memory("timers");
	for (size_t i = 0; i < e->n_posix; i++)
		ids[i] = e->posix[i]->it_id;
	qsort(ids, e->n_posix, sizeof(*ids), compare_u32);
	for (size_t i = 1; i < e->n_posix && !err; i++)
		if (ids[i] == ids[i - 1])
			err = core_refuse(pid, "tc.timers.posix: two timers have the id %u", ids[i]);
	free(ids);
	return err;
}

static int timers_load(struct restore *r, struct restore_task *task)
{
	const TaskTimersEntry *e = task->core->tc->timers;
	pid_t pid = task->t.pid;

	if (!e)
		return 0;
	int err = check_itimer(pid, "real", e->real);
	err = err ? err : check_itimer(pid, "virt", e->virt);
	err = err ? err : check_itimer(pid, "prof", e->prof);
	for (size_t i = 0; i < e->n_posix && !err; i++)
		err = check_timer(task, e->posix[i]);
	return err ? err : check_unique(pid, e);
}

static struct parasite_itimer build_itimer(const ItimerEntry *e)
{
	return (struct parasite_itimer){ .interval = { (int64_t)e->isec, (int64_t)e->iusec },
					 .value = { (int64_t)e->vsec, (int64_t)e->vusec } };
}

static size_t timers_wire_size(struct restore *r, const struct restore_task *task)
{
	const TaskTimersEntry *e = task->core->tc->timers;

	return e ? e->n_posix * sizeof(struct wire_posix_timer) : 0;
}

static int timers_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const TaskTimersEntry *e = task->core->tc->timers;
	const struct clocks stood = time_ns_at_dump(r, task);

	if (!e)
		return 0;
	wire->monotonic_stood = stood.monotonic;
	wire->boottime_stood = stood.boottime;
	wire->itimers[ITIMER_REAL] = build_itimer(e->real);
	wire->itimers[ITIMER_VIRTUAL] = build_itimer(e->virt);
	wire->itimers[ITIMER_PROF] = build_itimer(e->prof);
	if (!e->n_posix)
		return 0;
	struct wire_posix_timer *to = wire_alloc(wire, e->n_posix * sizeof(*to));
	if (!to)
		return no_memory("timers");
	for (size_t i = 0; i < e->n_posix; i++) {
		const PosixTimerEntry *t = e->posix[i];
		int overruns = sigqueue_overruns(task, (int)t->it_id);

		to[i] = (struct wire_posix_timer){ .id = (int32_t)t->it_id,
						   .clock_id = (int32_t)t->clock_id,
						   .notify = (int32_t)t->it_sigev_notify,
						   .signo = (int32_t)t->si_signo,
						   .sigval = t->sival_ptr,
						   .notify_tid = restore_number_seen(r, task, t->notify_thread_id),
						   .waiting = overruns >= 0,
						   .overrun = overruns,
						   .interval_sec = (int64_t)t->isec,
						   .interval_nsec = (int64_t)t->insec,
						   .value_sec = (int64_t)t->vsec,
						   .value_nsec = (int64_t)t->vnsec };
	}
	qsort(to, e->n_posix, sizeof(*to), compare_ids);
	wire->timers = (uint64_t)(uintptr_t)to;
	wire->nr_timers = (uint32_t)e->n_posix;
	return 0;
}

const struct task_kind timers_kind = {
	.name = "timers",
	.ask = timers_query,
	.save = timers_save,
	.load = timers_load,
	.wire_size = timers_wire_size,
	.hand_over = timers_hand_over,
};
