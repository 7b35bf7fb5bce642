/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The remaining time of a timer whose clock has advanced since it was saved: shared by the restorer and the kinds. No
 * libc.
 */
#pragma once
#include <stdint.h>

#define REST_NSEC 1000000000ll
#define REST_SECONDS_MAX (1ll << 32) /* larger values are left unchanged: nanoseconds would overflow */

/* As in setitimer(2) and timerfd_settime(2): a value of 0 means disarmed. */
struct timer_rest {
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

/*
 * Advances by @passed nanoseconds of its clock. One that would have expired meanwhile expires at once; a periodic one
 * keeps its phase, and missed expirations are not made up for. A negative @passed: it was read too late.
 */
static inline void timer_rest_after(struct timer_rest *t, int64_t passed)
{
	int64_t value = t->value_sec * REST_NSEC + t->value_nsec;
	int64_t interval = t->interval_sec * REST_NSEC + t->interval_nsec;

	if (t->value_sec > REST_SECONDS_MAX || t->interval_sec > REST_SECONDS_MAX || !value)
		return;
	if (passed < value)
		value -= passed;
	else
		value = interval ? interval - (passed - value) % interval : 1;
	t->value_sec = value / REST_NSEC;
	t->value_nsec = value % REST_NSEC;
}
