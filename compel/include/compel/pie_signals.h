/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls for signals and timers: a part of pie.h. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

/* The kernel's struct sigaction. */
struct sys_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static inline long sys_rt_sigaction(int sig, const struct sys_sigaction *act, struct sys_sigaction *old,
				    size_t mask_size)
{
	return sys_call4(__NR_rt_sigaction, (long)sig, (long)act, (long)old, (long)mask_size);
}

static inline long sys_rt_sigqueueinfo(pid_t pid, int sig, void *info)
{
	return sys_call3(__NR_rt_sigqueueinfo, (long)pid, (long)sig, (long)info);
}

static inline long sys_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int sig, void *info)
{
	return sys_call4(__NR_rt_tgsigqueueinfo, (long)pid, (long)tid, (long)sig, (long)info);
}

static inline long sys_rt_sigtimedwait(const uint64_t *set, void *info, const void *timeout, size_t mask_size)
{
	return sys_call4(__NR_rt_sigtimedwait, (long)set, (long)info, (long)timeout, (long)mask_size);
}

static inline long sys_sigaltstack(const void *set, void *old)
{
	return sys_call2(__NR_sigaltstack, (long)set, (long)old);
}

static inline long sys_getitimer(int which, void *value)
{
	return sys_call2(__NR_getitimer, (long)which, (long)value);
}

static inline long sys_setitimer(int which, const void *value, void *old)
{
	return sys_call3(__NR_setitimer, (long)which, (long)value, (long)old);
}

static inline long sys_timer_create(int clock, void *event, int *ret_id)
{
	return sys_call3(__NR_timer_create, (long)clock, (long)event, (long)ret_id);
}

static inline long sys_timer_settime(int id, int flags, const void *value, void *old)
{
	return sys_call4(__NR_timer_settime, (long)id, (long)flags, (long)value, (long)old);
}

static inline long sys_timer_gettime(int id, void *value)
{
	return sys_call2(__NR_timer_gettime, (long)id, (long)value);
}

static inline long sys_timer_getoverrun(int id)
{
	return sys_call1(__NR_timer_getoverrun, (long)id);
}

static inline long sys_timer_delete(int id)
{
	return sys_call1(__NR_timer_delete, (long)id);
}

static inline long sys_nanosleep(const void *time, void *left)
{
	return sys_call2(__NR_nanosleep, (long)time, (long)left);
}

static inline long sys_clock_gettime(int clock, void *time)
{
	return sys_call2(__NR_clock_gettime, (long)clock, (long)time);
}
