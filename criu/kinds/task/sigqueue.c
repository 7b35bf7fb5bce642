// SPDX-License-Identifier: GPL-2.0-only
/* Pending signals of a task, and which of those in an image are sent again by a timer. ptrace(2) PTRACE_PEEKSIGINFO */
#include "sigqueue.h"
#include <errno.h>
#include <sys/ptrace.h>
#include <time.h>
#include "kinds/kinds.h"
#include "run/restore.h"

enum { SECONDS_MAX = 1 << 30 }; /* limit of the restorer's arithmetic in nanoseconds */

int sigqueue_peek(pid_t host_tid, bool shared, size_t from, siginfo_t *to, size_t room)
{
	struct __ptrace_peeksiginfo_args args = { .off = from,
						  .nr = (int)room,
						  .flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0 };
	long n = ptrace(PTRACE_PEEKSIGINFO, host_tid, &args, to);

	return n < 0 ? -errno : (int)n;
}

bool timer_clock_goes_back(int32_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

static const PosixTimerEntry *timer_entry(const TaskTimersEntry *e, int id)
{
	for (size_t i = 0; e && i < e->n_posix; i++)
		if (e->posix[i]->it_id == (uint32_t)id)
			return e->posix[i];
	return NULL;
}

static bool fires_again(const PosixTimerEntry *t)
{
	return t && (t->it_sigev_notify == SIGEV_SIGNAL || t->it_sigev_notify == SIGEV_THREAD) &&
	       timer_clock_goes_back((int32_t)t->clock_id) && (t->isec || t->insec) && (t->vsec || t->vnsec) &&
	       t->isec < SECONDS_MAX && t->vsec < SECONDS_MAX;
}

int sigqueue_overruns(const struct restore_task *task, int timer_id)
{
	const TaskTimersEntry *timers = task->core->tc->timers;
	const PosixTimerEntry *t = timer_entry(timers, timer_id);
	const SignalQueueEntry *q = task->core->tc->signals_s;
	int overruns = SIGQUEUE_NOT_WAITING;

	if (!fires_again(t))
		return SIGQUEUE_NOT_WAITING;
	for (size_t i = 0; q && i < q->n_signals; i++) {
		const siginfo_t *si = (const siginfo_t *)q->signals[i]->siginfo.data;

		if (si->si_signo != (int)t->si_signo)
			continue;
		/* One of another origin: their order would be lost. */
		if (si->si_code != SI_TIMER || !fires_again(timer_entry(timers, si->si_timerid)))
			return SIGQUEUE_NOT_WAITING;
		if (si->si_timerid == timer_id)
			overruns = si->si_overrun > 0 ? si->si_overrun : 0;
	}
	return overruns;
}
