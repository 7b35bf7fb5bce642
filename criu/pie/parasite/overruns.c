// SPDX-License-Identifier: GPL-2.0-only
/* Inside a target: no libc, no globals, direct system calls only. Overruns of timers whose signals are queued. */
#include <compel/pie.h>
#include "base/bits.h"
#include "parasite.h"
#include "pie/wire.h"

enum {
	NSEC = 1000000000,
	TIMER_ABSTIME_FLAG = 1,
	CODE_TIMER = -2, /* SI_TIMER */
	SECONDS_MAX = 1 << 30,
};

/* siginfo_t of a timer */
struct timer_info {
	int32_t signo, error, code, pad;
	int32_t id, overrun;
	char rest[104];
};

struct times {
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

static const struct times *with_value(struct times *spec, int64_t sec, int64_t nsec)
{
	spec->value_sec = sec;
	spec->value_nsec = nsec;
	return spec;
}

/* Sets it to have fired @overrun intervals and a bit ago, when the queued signal was sent. */
static long fire_again(const struct parasite_posix_timer *t)
{
	struct times spec = { 0 };
	struct {
		int64_t sec, nsec;
	} now = { 0, 0 };

	long err = sys_timer_gettime(t->id, &spec);
	if (err >= 0)
		err = sys_clock_gettime(t->clock, &now);
	if (err < 0)
		return err;
	/* Twice an interval this long cannot have passed. */
	if (spec.interval_sec > SECONDS_MAX || spec.value_sec > SECONDS_MAX)
		return sys_timer_settime(t->id, TIMER_ABSTIME_FLAG, with_value(&spec, now.sec, now.nsec), NULL);
	int64_t interval = spec.interval_sec * NSEC + spec.interval_nsec;
	int64_t when = now.sec * NSEC + now.nsec + spec.value_sec * NSEC + spec.value_nsec -
		       ((int64_t)t->overrun + 1) * interval;
	return sys_timer_settime(t->id, TIMER_ABSTIME_FLAG, with_value(&spec, when / NSEC, when % NSEC), NULL);
}

static struct parasite_posix_timer *timer_of(struct parasite_task *task, const struct timer_info *info)
{
	for (uint32_t i = 0; i < task->nr_timers; i++)
		if (task->timers[i].id == info->id && task->timers[i].signo == info->signo)
			return &task->timers[i];
	return NULL;
}

long parasite_count_overruns(struct parasite_task *task)
{
	struct {
		int64_t sec, nsec;
	} at_once = { 0, 0 };

	for (uint32_t i = 0; i < task->nr_timers; i++) {
		struct timer_info info;

		if (!task->timers[i].signo)
			continue;
		/* The oldest signal comes first, whichever timer sent it, and is queued again at the end. */
		uint64_t set = BIT(task->timers[i].signo - 1);
		if (sys_rt_sigtimedwait(&set, &info, &at_once, sizeof(set)) <= 0)
			continue;
		struct parasite_posix_timer *t = info.code == CODE_TIMER ? timer_of(task, &info) : NULL;
		long err;
		if (t) {
			t->overrun = info.overrun;
			err = fire_again(t);
		} else {
			/* It was sent to this thread since the queue was read. */
			err = sys_rt_tgsigqueueinfo((pid_t)sys_getpid(), (pid_t)sys_gettid(), info.signo, &info);
		}
		if (err < 0)
			return err;
	}
	return 0;
}
