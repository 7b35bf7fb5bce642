/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls for threads, processes and their credentials: a part of pie.h. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

static inline long sys_getpid(void)
{
	return sys_call0(__NR_getpid);
}

static inline long sys_gettid(void)
{
	return sys_call0(__NR_gettid);
}

static inline long sys_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid, unsigned long tls)
{
	return sys_call5(__NR_clone, (long)flags, (long)stack, (long)parent_tid, (long)child_tid, (long)tls);
}

static inline long sys_wait4(pid_t pid, int *status, int options, void *usage)
{
	return sys_call4(__NR_wait4, (long)pid, (long)status, (long)options, (long)usage);
}

static inline long sys_futex(unsigned int *word, int operation, unsigned int value, const void *timeout,
			     unsigned int *word2, unsigned int value3)
{
	return sys_call6(__NR_futex, (long)word, (long)operation, (long)value, (long)timeout, (long)word2,
			 (long)value3);
}

static inline long sys_set_tid_address(int *address)
{
	return sys_call1(__NR_set_tid_address, (long)address);
}

static inline long sys_set_robust_list(void *head, size_t len)
{
	return sys_call2(__NR_set_robust_list, (long)head, (long)len);
}

static inline long sys_rseq(void *area, unsigned int len, int flags, unsigned int signature)
{
	return sys_call4(__NR_rseq, (long)area, (long)len, (long)flags, (long)signature);
}

static inline long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return sys_call5(__NR_prctl, (long)option, (long)a, (long)b, (long)c, (long)d);
}

static inline long sys_personality(unsigned int value)
{
	return sys_call1(__NR_personality, (long)value);
}

static inline long sys_seccomp(unsigned int operation, unsigned int flags, void *args)
{
	return sys_call3(__NR_seccomp, (long)operation, (long)flags, (long)args);
}

static inline long sys_prlimit64(pid_t pid, int resource, const void *set, void *old)
{
	return sys_call4(__NR_prlimit64, (long)pid, (long)resource, (long)set, (long)old);
}

static inline long sys_sched_setaffinity(pid_t tid, size_t len, const void *mask)
{
	return sys_call3(__NR_sched_setaffinity, (long)tid, (long)len, (long)mask);
}

static inline long sys_sched_setattr(pid_t tid, void *attr, unsigned int flags)
{
	return sys_call3(__NR_sched_setattr, (long)tid, (long)attr, (long)flags);
}

static inline long sys_sched_getattr(pid_t tid, void *attr, unsigned int size, unsigned int flags)
{
	return sys_call4(__NR_sched_getattr, (long)tid, (long)attr, (long)size, (long)flags);
}

static inline long sys_setpriority(int which, int who, int nice)
{
	return sys_call3(__NR_setpriority, (long)which, (long)who, (long)nice);
}

static inline long sys_getpriority(int which, int who)
{
	return sys_call2(__NR_getpriority, (long)which, (long)who);
}

static inline long sys_ioprio_set(int which, int who, int value)
{
	return sys_call3(__NR_ioprio_set, (long)which, (long)who, (long)value);
}

static inline long sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return sys_call3(__NR_setresuid, (long)real, (long)effective, (long)saved);
}

static inline long sys_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
	return sys_call3(__NR_getresuid, (long)real, (long)effective, (long)saved);
}

static inline long sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return sys_call3(__NR_setresgid, (long)real, (long)effective, (long)saved);
}

static inline long sys_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
	return sys_call3(__NR_getresgid, (long)real, (long)effective, (long)saved);
}

static inline long sys_setfsuid(uid_t uid)
{
	return sys_call1(__NR_setfsuid, (long)uid);
}

static inline long sys_setfsgid(gid_t gid)
{
	return sys_call1(__NR_setfsgid, (long)gid);
}

static inline long sys_setgroups(size_t nr, const gid_t *groups)
{
	return sys_call2(__NR_setgroups, (long)nr, (long)groups);
}

static inline long sys_getgroups(int nr, gid_t *groups)
{
	return sys_call2(__NR_getgroups, (long)nr, (long)groups);
}

static inline long sys_capget(void *header, void *data)
{
	return sys_call2(__NR_capget, (long)header, (long)data);
}

static inline long sys_capset(void *header, const void *data)
{
	return sys_call2(__NR_capset, (long)header, (long)data);
}

static inline void __attribute__((noreturn)) sys_exit_group(int code)
{
	for (;;)
		sys_call1(__NR_exit_group, code);
}
