/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside a target: no libc, no globals, direct system calls only. */
#pragma once
#include <stdint.h>

#define E_PERM 1
#define E_INVAL 22

/* parasite/ARCH/cpu.c: CPU-specific state; the structs are those of pie/arch.h. */
struct parasite_arch_task;
struct parasite_arch_thread;
void parasite_arch_task(struct parasite_arch_task *to);
void parasite_arch_thread(struct parasite_arch_thread *to);
/* PARASITE_ARCH: state that does not fit into those. 0 or a negative errno. */
long parasite_arch_command(void *args);

/* locks.c: MCL_FUTURE and MCL_ONFAULT of mlockall(2), which can only be detected by a new mapping: @here, or a page. */
int32_t parasite_mlock_future(void *here);

struct parasite_task;
/*
 * Overruns of timers whose signals are queued (signo set): the kernel reports them only with the signal. It is
 * dequeued, and the timer is set to have fired the same time ago, so that the same signal is queued again. If the
 * dumper dies meanwhile, this still runs to its end.
 */
long parasite_count_overruns(struct parasite_task *task);

struct parasite_fork_state;
/* Negative errno if there is no helper; the result of the copy is in @f. */
long parasite_fork(struct parasite_fork_state *f);

struct parasite_uffd;
/* uffd.c: negative errno if there is no helper; the result is in @u. */
long parasite_uffd(struct parasite_uffd *u);

struct parasite_reap;
/* reap.c */
long parasite_reap(const struct parasite_reap *r);

struct parasite_vma_policy;
struct parasite_policy_list;
/* policies.c: the policy of the thread; those of mappings, from p->next on */
void parasite_policy(struct parasite_vma_policy *to);
void parasite_policies(struct parasite_policy_list *p);
