// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Interval timers and POSIX timers. */
#include <compel/pie.h>
#include "pie/timer_rest.h"
#include "restorer.h"

enum {
	TIMER_CREATE_RESTORE_IDS = 77, /* prctl, since Linux 6.15 */
	NOTIFY_TO_THREAD = 4,
	TIMER_ABSTIME_FLAG = 1,
	NSEC = 1000000000,
	MONOTONIC = 1,
	BOOTTIME = 7,
	BOOTTIME_ALARM = 9,
	ITIMER_REAL_NR = 0,
	TRIES_MAX = 1 << 22, /* a few seconds: kernels that do not accept an id count up */
};

struct event {
	uint64_t value;
	int32_t signo, notify, tid, pad[11];
};
_Static_assert(sizeof(struct event) == 64, "sigevent of the kernel");

static long create(const struct wire_posix_timer *t, int *id)
{
	struct event e = { .value = t->sigval, .signo = t->signo, .notify = t->notify };

	if (t->notify == NOTIFY_TO_THREAD)
		e.tid = t->notify_tid;
	return sys_timer_create(t->clock_id, &e, id);
}

/* A kernel that assigns ids by counting: create and delete until the right one is reached. Timers are sorted by id. */
static long create_counting(const struct wire_posix_timer *t)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		int id = 0;
		long err = create(t, &id);

		if (err < 0 || id == t->id)
			return err;
		sys_timer_delete(id);
		if (id > t->id)
			return -E_OVERFLOW;
	}
	return -E_AGAIN;
}

static long create_exactly(const struct wire_posix_timer *t)
{
	int id = t->id;
	long err = create(t, &id);

	return err < 0 || id == t->id ? err : -E_OVERFLOW;
}

int restore_timers_create(struct wire_task *task)
{
	const struct wire_posix_timer *t = (const struct wire_posix_timer *)task->timers;
	bool exactly;
	long err = 0;

	if (!task->nr_timers && !task->timer_restore_ids)
		return 0;
	exactly = sys_prctl(TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0) >= 0;
	for (uint32_t i = 0; i < task->nr_timers && err >= 0; i++, t++) {
		err = exactly ? create_exactly(t) : create_counting(t);
		if (err < 0)
			restorer_fail_nr(task, err, "create the timer", t->id);
	}
	if (exactly && !task->timer_restore_ids)
		sys_prctl(TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
	return err < 0 ? (int)err : 0;
}

/*
 * Its signal is queued: the timer is set to have fired the same time ago, and the kernel queues the signal itself, so
 * that it continues to count overruns. A clock that has not run for so long (another machine) allows for fewer of them.
 */
static long arm_waiting(const struct wire_posix_timer *t, const struct timer_rest *rest)
{
	int64_t now[2] = { 0, 0 }, interval = t->interval_sec * NSEC + t->interval_nsec;

	long err = sys_clock_gettime(t->clock_id, now);
	if (err < 0)
		return err;
	int64_t next = now[0] * NSEC + now[1] + rest->value_sec * NSEC + rest->value_nsec;
	int64_t back = (int64_t)t->overrun + 1, room = (next - 1) / interval;
	int64_t first = next - (back < room ? back : room) * interval;
	int64_t spec[4] = { t->interval_sec, t->interval_nsec, first / NSEC, first % NSEC };
	return sys_timer_settime(t->id, TIMER_ABSTIME_FLAG, spec, NULL);
}

/* How far @clock has advanced in the task's time namespace since it was saved. */
static int64_t passed(const struct wire_task *task, int32_t clock)
{
	int64_t now[2] = { 0, 0 }, stood = 0;

	if (clock == MONOTONIC)
		stood = task->monotonic_stood;
	else if (clock == BOOTTIME || clock == BOOTTIME_ALARM)
		stood = task->boottime_stood;
	if (!stood || sys_clock_gettime(clock, now) < 0)
		return 0;
	return now[0] * NSEC + now[1] - stood;
}

static long arm_itimer(const struct wire_task *task, int which)
{
	const struct parasite_itimer *it = &task->itimers[which];
	struct parasite_itimer set = *it;
	struct timer_rest rest = { it->interval.sec, it->interval.usec * 1000, it->value.sec, it->value.usec * 1000 };

	if (!it->value.sec && !it->value.usec && !it->interval.sec && !it->interval.usec)
		return 0;
	if (which == ITIMER_REAL_NR) {
		timer_rest_after(&rest, passed(task, MONOTONIC));
		/* Rounded up: no timer fires early, and one that is about to fire is not disarmed. */
		set.value.sec = rest.value_sec + (rest.value_nsec + 999) / NSEC;
		set.value.usec = (rest.value_nsec + 999) % NSEC / 1000;
	}
	return sys_setitimer(which, &set, NULL);
}

static long arm_timer(const struct wire_task *task, const struct wire_posix_timer *t)
{
	struct timer_rest rest = { t->interval_sec, t->interval_nsec, t->value_sec, t->value_nsec };

	timer_rest_after(&rest, passed(task, t->clock_id));
	return t->waiting ? arm_waiting(t, &rest) : sys_timer_settime(t->id, 0, &rest, NULL);
}

int restore_timers_arm(struct wire_task *task)
{
	const struct wire_posix_timer *t = (const struct wire_posix_timer *)task->timers;

	for (int i = 0; i < 3; i++) {
		long err = arm_itimer(task, i);

		if (err < 0)
			return restorer_fail_nr(task, err, "start the interval timer", i);
	}
	for (uint32_t i = 0; i < task->nr_timers; i++, t++) {
		long err = arm_timer(task, t);

		if (err < 0)
			return restorer_fail_nr(task, err, "start the timer", t->id);
	}
	return 0;
}
