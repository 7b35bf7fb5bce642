// SPDX-License-Identifier: GPL-2.0-only
/* Offsets of clocks from the initial time namespace; the rest of a timer when its clock has advanced. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/clocks.h"
#include "pie/timer_rest.h"
#include "util/fds.h"
#include "util_check.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define S NSEC_IN_SEC

/* In a child: 0, or the number of the wrong clock; 77: not available here. */
static int look_from_later(const struct clocks *base)
{
	const struct clocks was = clocks_now();
	struct clocks ahead, now;
	char text[128];

	if (unshare(CLONE_NEWTIME))
		return 77;
	/* In between it has one namespace, and its children will get another. */
	if (clocks_own_ahead(&ahead) != -EXDEV)
		return 1;
	snprintf(text, sizeof(text), "monotonic %lld 7\nboottime %lld 0", base->monotonic / S + 1000ll,
		 base->boottime / S + 5ll);
	if (write_text(AT_FDCWD, "/proc/self/timens_offsets", text))
		return 77;
	int fd = open_at(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY, 0);
	if (fd < 0 || setns(fd, CLONE_NEWTIME))
		return 2;
	if (clocks_own_ahead(&ahead) || ahead.monotonic != (base->monotonic / S + 1000) * S + 7 ||
	    ahead.boottime != (base->boottime / S + 5) * S)
		return 3;
	now = clocks_now();
	/* The remaining difference is the time that this took. */
	int64_t mono = (now.monotonic - ahead.monotonic) - (was.monotonic - base->monotonic);
	int64_t boot = (now.boottime - ahead.boottime) - (was.boottime - base->boottime);
	return mono < 0 || mono > 60 * S || boot < 0 || boot > 60 * S ? 4 : 0;
}

static void offsets_add_up(void)
{
	struct clocks base = { -1, -1 };
	int status = -1;

	CHECK(!clocks_own_ahead(&base));
	pid_t pid = fork();
	if (!pid)
		_exit(look_from_later(&base));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}

static struct timer_rest after(int64_t interval, int64_t value, int64_t passed)
{
	struct timer_rest t = { interval / S, interval % S, value / S, value % S };

	timer_rest_after(&t, passed);
	return t;
}

static int64_t left(int64_t interval, int64_t value, int64_t passed)
{
	const struct timer_rest t = after(interval, value, passed);

	return t.interval_sec == interval / S && t.interval_nsec == interval % S ? t.value_sec * S + t.value_nsec : -1;
}

static void one_shots_run_out(void)
{
	CHECK(left(0, 3 * S + 5, 0) == 3 * S + 5);
	CHECK(left(0, 3 * S + 5, S + 6) == 2 * S - 1);
	CHECK(left(0, 3 * S, 3 * S - 1) == 1);
	/* 0 would disarm it. */
	CHECK(left(0, 3 * S, 3 * S) == 1 && left(0, 3 * S, 1000 * S) == 1);
	/* Queried later than the reference time. */
	CHECK(left(0, 3 * S, -7) == 3 * S + 7);
}

static void intervals_are_kept(void)
{
	CHECK(left(10, 4, 3) == 1);
	CHECK(left(10, 4, 4) == 10 && left(10, 4, 5) == 9 && left(10, 4, 14) == 10 && left(10, 4, 1000 * 10 + 7) == 7);
	/* The first expiration may be further away than the interval. */
	CHECK(left(2, 7, 5) == 2 && left(2, 7, 8) == 1);
}

static void a_stopped_clock_changes_nothing(void)
{
	CHECK(left(0, 0, 5) == 0 && left(10, 0, 5) == 0);
	struct timer_rest far = { 0, 1, INT64_MAX, 999999999 };
	timer_rest_after(&far, 5 * S);
	CHECK(far.value_sec == INT64_MAX && far.value_nsec == 999999999);
	far = (struct timer_rest){ INT64_MAX, 0, 3, 0 };
	timer_rest_after(&far, 5 * S);
	CHECK(far.value_sec == 3 && !far.value_nsec);
}

int main(void)
{
	RUN(offsets_add_up);
	RUN(one_shots_run_out);
	RUN(intervals_are_kept);
	RUN(a_stopped_clock_changes_nothing);
	DONE();
}
