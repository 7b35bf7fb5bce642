// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Interval timers and POSIX timers. */
#include <compel/pie.h>
#include "restorer.h"

enum {
	TIMER_CREATE_RESTORE_IDS = 77, /* prctl, since Linux 6.15 */
	NOTIFY_TO_THREAD = 4,
	TIMER_ABSTIME_FLAG = 1,
	NSEC = 1000000000,
	TRIES_MAX = 1 << 22, /* a few seconds: kernels that cannot be told the id count it up */
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

/* A kernel that gives ids by counting: take and give back until it comes by. Timers are sorted by id. */
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

	if (!task->nr_timers)
		return 0;
	exactly = sys_prctl(TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0) >= 0;
	for (uint32_t i = 0; i < task->nr_timers && err >= 0; i++, t++) {
		err = exactly ? create_exactly(t) : create_counting(t);
		if (err < 0)
			restorer_fail_nr(task, err, "make the timer", t->id);
	}
	if (exactly)
		sys_prctl(TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
	return err < 0 ? (int)err : 0;
}

/*
 * Its signal waits: the timer is set to have fired as long ago as that was, and the kernel queues the signal itself, so
 * that it counts overruns on. A clock that has not run for so long (another machine) allows for fewer of them.
 */
static long arm_waiting(const struct wire_posix_timer *t)
{
	int64_t now[2] = { 0, 0 }, interval = t->interval_sec * NSEC + t->interval_nsec;

	long err = sys_clock_gettime(t->clock_id, now);
	if (err < 0)
		return err;
	int64_t next = now[0] * NSEC + now[1] + t->value_sec * NSEC + t->value_nsec;
	int64_t back = (int64_t)t->overrun + 1, room = (next - 1) / interval;
	int64_t first = next - (back < room ? back : room) * interval;
	int64_t spec[4] = { t->interval_sec, t->interval_nsec, first / NSEC, first % NSEC };
	return sys_timer_settime(t->id, TIMER_ABSTIME_FLAG, spec, NULL);
}

int restore_timers_arm(struct wire_task *task)
{
	const struct wire_posix_timer *t = (const struct wire_posix_timer *)task->timers;

	for (int i = 0; i < 3; i++) {
		const struct inside_itimer *it = &task->itimers[i];

		if (!it->value.sec && !it->value.usec && !it->interval.sec && !it->interval.usec)
			continue;
		long err = sys_setitimer(i, it, NULL);
		if (err < 0)
			return restorer_fail_nr(task, err, "start the interval timer", i);
	}
	for (uint32_t i = 0; i < task->nr_timers; i++, t++) {
		int64_t spec[4] = { t->interval_sec, t->interval_nsec, t->value_sec, t->value_nsec };
		long err = t->waiting ? arm_waiting(t) : sys_timer_settime(t->id, 0, spec, NULL);

		if (err < 0)
			return restorer_fail_nr(task, err, "start the timer", t->id);
	}
	return 0;
}
