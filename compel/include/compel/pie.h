/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Run time for code inside another process: direct system calls and a few functions of
 * memory. No libc, no globals, no relocations. Every call returns what the kernel does,
 * negative errno included. Structures are the kernel's, so they come as void * where
 * libc's differ.
 *
 * A blob that compel_command runs has one entry:
 *	unsigned long blob_entry(unsigned int command, void *args);
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

/* In pie/string.c; the compiler calls them by these names. */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* In arch/: clone3 whose child runs @fn(@arg) on the stack that @clone_args names and exits with its result. */
long sys_clone3_run(void *clone_args, size_t size, int (*fn)(void *), void *arg);

/* Headers are older than the kernels we run on. */
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack 453
#endif

/* The kernel's struct sigaction. */
struct sys_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

/* Files and sockets. */
#include <compel/pie_files.h>

/* ---- memory ---- */

static inline long sys_mmap(void *address, size_t len, int prot, int flags, int fd, off_t offset)
{
	return sys_call6(__NR_mmap, (long)address, (long)len, (long)prot, (long)flags, (long)fd, (long)offset);
}

static inline long sys_munmap(void *address, size_t len)
{
	return sys_call2(__NR_munmap, (long)address, (long)len);
}

static inline long sys_mremap(void *old, size_t old_len, size_t new_len, int flags, void *to)
{
	return sys_call5(__NR_mremap, (long)old, (long)old_len, (long)new_len, (long)flags, (long)to);
}

static inline long sys_mprotect(void *address, size_t len, int prot)
{
	return sys_call3(__NR_mprotect, (long)address, (long)len, (long)prot);
}

static inline long sys_pkey_mprotect(void *address, size_t len, int prot, int pkey)
{
	return sys_call4(__NR_pkey_mprotect, (long)address, (long)len, (long)prot, (long)pkey);
}

static inline long sys_madvise(void *address, size_t len, int advice)
{
	return sys_call3(__NR_madvise, (long)address, (long)len, (long)advice);
}

static inline long sys_mlock2(const void *address, size_t len, int flags)
{
	return sys_call3(__NR_mlock2, (long)address, (long)len, (long)flags);
}

static inline long sys_munlock(const void *address, size_t len)
{
	return sys_call2(__NR_munlock, (long)address, (long)len);
}

static inline long sys_mlockall(int flags)
{
	return sys_call1(__NR_mlockall, (long)flags);
}

static inline long sys_msync(void *address, size_t len, int flags)
{
	return sys_call3(__NR_msync, (long)address, (long)len, (long)flags);
}

static inline long sys_mincore(void *address, size_t len, unsigned char *vec)
{
	return sys_call3(__NR_mincore, (long)address, (long)len, (long)vec);
}

static inline long sys_brk(void *end)
{
	return sys_call1(__NR_brk, (long)end);
}

static inline long sys_shmat(int id, const void *address, int flags)
{
	return sys_call3(__NR_shmat, (long)id, (long)address, (long)flags);
}

static inline long sys_shmdt(const void *address)
{
	return sys_call1(__NR_shmdt, (long)address);
}

static inline long sys_userfaultfd(int flags)
{
	return sys_call1(__NR_userfaultfd, (long)flags);
}

static inline long sys_membarrier(int command, unsigned int flags, int cpu)
{
	return sys_call3(__NR_membarrier, (long)command, (long)flags, (long)cpu);
}

static inline long sys_process_vm_readv(pid_t pid, const void *here, unsigned long nr, const void *there,
					unsigned long nr_there, unsigned long flags)
{
	return sys_call6(__NR_process_vm_readv, (long)pid, (long)here, (long)nr, (long)there, (long)nr_there,
			 (long)flags);
}

static inline long sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long max)
{
	return sys_call3(__NR_set_mempolicy, (long)mode, (long)nodes, (long)max);
}

static inline long sys_mbind(void *address, unsigned long len, int mode, const unsigned long *nodes, unsigned long max,
			     unsigned int flags)
{
	return sys_call6(__NR_mbind, (long)address, (long)len, (long)mode, (long)nodes, (long)max, (long)flags);
}

static inline long sys_io_setup(unsigned int nr, unsigned long *context)
{
	return sys_call2(__NR_io_setup, (long)nr, (long)context);
}

static inline long sys_io_destroy(unsigned long context)
{
	return sys_call1(__NR_io_destroy, (long)context);
}

static inline long sys_io_getevents(unsigned long context, long min, long nr, void *events, void *timeout)
{
	return sys_call5(__NR_io_getevents, (long)context, (long)min, (long)nr, (long)events, (long)timeout);
}

static inline long sys_io_submit(unsigned long context, long nr, void *iocbs)
{
	return sys_call3(__NR_io_submit, (long)context, (long)nr, (long)iocbs);
}

static inline long sys_map_shadow_stack(unsigned long address, unsigned long size, unsigned int flags)
{
	return sys_call3(__NR_map_shadow_stack, (long)address, (long)size, (long)flags);
}

/* ---- signals and timers ---- */

static inline long sys_rt_sigaction(int sig, const struct sys_sigaction *act, struct sys_sigaction *old,
				    size_t mask_size)
{
	return sys_call4(__NR_rt_sigaction, (long)sig, (long)act, (long)old, (long)mask_size);
}

static inline long sys_rt_sigprocmask(int how, const uint64_t *set, uint64_t *old, size_t mask_size)
{
	return sys_call4(__NR_rt_sigprocmask, (long)how, (long)set, (long)old, (long)mask_size);
}

static inline long sys_rt_sigpending(uint64_t *set, size_t mask_size)
{
	return sys_call2(__NR_rt_sigpending, (long)set, (long)mask_size);
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

static inline long sys_kill(pid_t pid, int sig)
{
	return sys_call2(__NR_kill, (long)pid, (long)sig);
}

static inline long sys_tgkill(pid_t pid, pid_t tid, int sig)
{
	return sys_call3(__NR_tgkill, (long)pid, (long)tid, (long)sig);
}

static inline long sys_tkill(pid_t tid, int sig)
{
	return sys_call2(__NR_tkill, (long)tid, (long)sig);
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

static inline long sys_clock_nanosleep(int clock, int flags, const void *time, void *left)
{
	return sys_call4(__NR_clock_nanosleep, (long)clock, (long)flags, (long)time, (long)left);
}

static inline long sys_clock_gettime(int clock, void *time)
{
	return sys_call2(__NR_clock_gettime, (long)clock, (long)time);
}

static inline long sys_gettimeofday(void *time, void *zone)
{
	return sys_call2(__NR_gettimeofday, (long)time, (long)zone);
}

/* ---- threads and processes ---- */

static inline long sys_getpid(void)
{
	return sys_call0(__NR_getpid);
}

static inline long sys_getppid(void)
{
	return sys_call0(__NR_getppid);
}

static inline long sys_gettid(void)
{
	return sys_call0(__NR_gettid);
}

static inline long sys_getpgid(pid_t pid)
{
	return sys_call1(__NR_getpgid, (long)pid);
}

static inline long sys_setpgid(pid_t pid, pid_t pgid)
{
	return sys_call2(__NR_setpgid, (long)pid, (long)pgid);
}

static inline long sys_getsid(pid_t pid)
{
	return sys_call1(__NR_getsid, (long)pid);
}

static inline long sys_setsid(void)
{
	return sys_call0(__NR_setsid);
}

static inline long sys_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid, unsigned long tls)
{
	return sys_call5(__NR_clone, (long)flags, (long)stack, (long)parent_tid, (long)child_tid, (long)tls);
}

static inline long sys_clone3(void *args, size_t size)
{
	return sys_call2(__NR_clone3, (long)args, (long)size);
}

static inline long sys_vfork(void)
{
	return sys_call0(__NR_vfork);
}

static inline long sys_fork(void)
{
	return sys_call0(__NR_fork);
}

static inline long sys_wait4(pid_t pid, int *status, int options, void *usage)
{
	return sys_call4(__NR_wait4, (long)pid, (long)status, (long)options, (long)usage);
}

static inline long sys_waitid(int which, pid_t pid, void *info, int options, void *usage)
{
	return sys_call5(__NR_waitid, (long)which, (long)pid, (long)info, (long)options, (long)usage);
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

static inline long sys_get_robust_list(int tid, void **head, size_t *len)
{
	return sys_call3(__NR_get_robust_list, (long)tid, (long)head, (long)len);
}

static inline long sys_rseq(void *area, unsigned int len, int flags, unsigned int signature)
{
	return sys_call4(__NR_rseq, (long)area, (long)len, (long)flags, (long)signature);
}

static inline long sys_unshare(int flags)
{
	return sys_call1(__NR_unshare, (long)flags);
}

static inline long sys_setns(int fd, int kind)
{
	return sys_call2(__NR_setns, (long)fd, (long)kind);
}

static inline long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return sys_call5(__NR_prctl, (long)option, (long)a, (long)b, (long)c, (long)d);
}

static inline long sys_arch_prctl(int option, unsigned long value)
{
	return sys_call2(__NR_arch_prctl, (long)option, (long)value);
}

static inline long sys_set_thread_area(void *description)
{
	return sys_call1(__NR_set_thread_area, (long)description);
}

static inline long sys_get_thread_area(void *description)
{
	return sys_call1(__NR_get_thread_area, (long)description);
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

static inline long sys_getrlimit(int resource, void *limit)
{
	return sys_call2(__NR_getrlimit, (long)resource, (long)limit);
}

static inline long sys_setrlimit(int resource, const void *limit)
{
	return sys_call2(__NR_setrlimit, (long)resource, (long)limit);
}

static inline long sys_getrusage(int who, void *usage)
{
	return sys_call2(__NR_getrusage, (long)who, (long)usage);
}

static inline long sys_sched_setaffinity(pid_t tid, size_t len, const void *mask)
{
	return sys_call3(__NR_sched_setaffinity, (long)tid, (long)len, (long)mask);
}

static inline long sys_sched_getaffinity(pid_t tid, size_t len, void *mask)
{
	return sys_call3(__NR_sched_getaffinity, (long)tid, (long)len, (long)mask);
}

static inline long sys_sched_setscheduler(pid_t tid, int policy, const void *param)
{
	return sys_call3(__NR_sched_setscheduler, (long)tid, (long)policy, (long)param);
}

static inline long sys_sched_getscheduler(pid_t tid)
{
	return sys_call1(__NR_sched_getscheduler, (long)tid);
}

static inline long sys_sched_getparam(pid_t tid, void *param)
{
	return sys_call2(__NR_sched_getparam, (long)tid, (long)param);
}

static inline long sys_sched_setattr(pid_t tid, void *attr, unsigned int flags)
{
	return sys_call3(__NR_sched_setattr, (long)tid, (long)attr, (long)flags);
}

static inline long sys_sched_getattr(pid_t tid, void *attr, unsigned int size, unsigned int flags)
{
	return sys_call4(__NR_sched_getattr, (long)tid, (long)attr, (long)size, (long)flags);
}

static inline long sys_sched_yield(void)
{
	return sys_call0(__NR_sched_yield);
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

/* ---- credentials ---- */

static inline long sys_getuid(void)
{
	return sys_call0(__NR_getuid);
}

static inline long sys_geteuid(void)
{
	return sys_call0(__NR_geteuid);
}

static inline long sys_getgid(void)
{
	return sys_call0(__NR_getgid);
}

static inline long sys_getegid(void)
{
	return sys_call0(__NR_getegid);
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

static inline long sys_sethostname(const char *name, size_t len)
{
	return sys_call2(__NR_sethostname, (long)name, (long)len);
}

static inline long sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
			     const void *data)
{
	return sys_call5(__NR_mount, (long)source, (long)target, (long)type, (long)flags, (long)data);
}

static inline long sys_umount2(const char *target, int flags)
{
	return sys_call2(__NR_umount2, (long)target, (long)flags);
}

static inline void __attribute__((noreturn)) sys_exit(int code)
{
	for (;;)
		sys_call1(__NR_exit, code);
}

static inline void __attribute__((noreturn)) sys_exit_group(int code)
{
	for (;;)
		sys_call1(__NR_exit_group, code);
}
