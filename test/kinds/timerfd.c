// SPDX-License-Identifier: GPL-2.0-only
/*
 * timerfd: relative, absolute, periodic with unread ticks, expired and unread, never armed, other clocks.
 * test: flavours=host,pid boots=others breaks=2 decode=yes ignore=ticks
 */
#include "checkpoint.h"
#include <sys/timerfd.h>
#include <time.h>

int main(int argc, char **argv)
{
	struct itimerspec far = { .it_value = { 3600, 0 }, .it_interval = { 7, 5 } }, now;
	struct itimerspec soon = { .it_value = { 0, 1000000 } },
			  often = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
	int rel, absolute, expired, periodic, unset, real, boot, cancel, brk;
	struct timespec ts;
	uint64_t ticks, later = 0;
	double until, began;

	test_init(argc, argv);
	rel = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	absolute = timerfd_create(CLOCK_MONOTONIC, 0);
	expired = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	periodic = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	unset = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	real = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	boot = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	cancel = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	need(rel >= 0 && cancel >= 0, "create");
	timerfd_settime(rel, 0, &far, NULL);
	timerfd_settime(boot, 0, &far, NULL);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	until = now_s() + 1.2;
	now = (struct itimerspec){ .it_value = { ts.tv_sec + 1, ts.tv_nsec } };
	timerfd_settime(absolute, TFD_TIMER_ABSTIME, &now, NULL);
	clock_gettime(CLOCK_REALTIME, &ts);
	now = (struct itimerspec){ .it_value = { ts.tv_sec + 5000, 0 } };
	timerfd_settime(real, TFD_TIMER_ABSTIME, &now, NULL);
	timerfd_settime(cancel, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &now, NULL);
	timerfd_settime(expired, 0, &soon, NULL);
	timerfd_settime(periodic, 0, &often, NULL);
	sleep_ms(60);

	brk = checkpoint_here();
	if (brk == 1)
		need(read(expired, &ticks, 8) == 8, "break");
	if (brk == 2)
		timerfd_settime(rel, 0, &soon, NULL);

	check(!timerfd_gettime(rel, &now) && now.it_value.tv_sec > 3500 && now.it_value.tv_sec <= 3600 &&
		      now.it_interval.tv_sec == 7 && now.it_interval.tv_nsec == 5,
	      "far: %ld, each %ld", now.it_value.tv_sec, now.it_interval.tv_sec);
	check(!timerfd_gettime(boot, &now) && now.it_value.tv_sec > 3500 && now.it_value.tv_sec <= 3600, "boot: %ld",
	      now.it_value.tv_sec);
	check(!timerfd_gettime(real, &now) && now.it_value.tv_sec > 4900 && now.it_value.tv_sec <= 5000, "real: %ld",
	      now.it_value.tv_sec);
	check(!timerfd_gettime(cancel, &now) && now.it_value.tv_sec > 4900, "cancel: %ld", now.it_value.tv_sec);
	check(!timerfd_gettime(unset, &now) && !now.it_value.tv_sec && !now.it_value.tv_nsec,
	      "the unarmed one is running");
	check(read(unset, &ticks, 8) < 0 && errno == EAGAIN, "the unarmed one has ticks");
	check(read(expired, &ticks, 8) == 8 && ticks == 1, "expired: %lu ticks", ticks);
	check(read(expired, &ticks, 8) < 0 && errno == EAGAIN, "expired: more ticks");
	began = now_s();
	check(read(periodic, &ticks, 8) == 8 && ticks >= 11, "periodic: %lu ticks", ticks);
	/* In a virtual machine its expiry may be late, on another CPU than this one. */
	for (int i = 0; i < 3000 && later < 2; i++) {
		sleep_ms(20);
		later += read(periodic, &ticks, 8) == 8 ? ticks : 0;
	}
	check(later >= 2 && later <= 10 + (now_s() - began) / 0.005, "periodic, later: %lu ticks", later);
	check(read(absolute, &ticks, 8) == 8 && ticks == 1, "absolute");
	check(now_s() >= until - 0.2, "absolute: early");
	check(fcntl(rel, F_GETFD) == FD_CLOEXEC && fcntl(periodic, F_GETFL) & O_NONBLOCK, "flags");
	test_done();
}
