// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/clocks.h"
#include <errno.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_IN_SEC + now.tv_nsec;
}

struct clocks clocks_now(void)
{
	return (struct clocks){ read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_BOOTTIME) };
}

int clocks_of_children_ahead(const struct proc *p, struct clocks *ret)
{
	struct proc_timens ahead = { 0 };
	int err = proc_timens_read(p, &ahead);

	if (!err)
		*ret = (struct clocks){ ahead.mono_sec * NSEC_IN_SEC + ahead.mono_nsec,
					ahead.boot_sec * NSEC_IN_SEC + ahead.boot_nsec };
	return err;
}

int clocks_ahead(const struct proc *p, struct clocks *ret)
{
	uint32_t own = 0, next = 0;
	int err = proc_ns_ino(p, PROC_NS_TIME, &own);

	if (err == -ENOENT) {
		*ret = (struct clocks){ 0 };
		return 0;
	}
	if (!err)
		err = proc_ns_ino(p, PROC_NS_TIME_CHILDREN, &next);
	if (!err && own != next)
		err = -EXDEV;
	return err ? err : clocks_of_children_ahead(p, ret);
}

int clocks_own_ahead(struct clocks *ret)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = proc_open_self(&self);

	return err ? err : clocks_ahead(&self, ret);
}
