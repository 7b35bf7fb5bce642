/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside a target: no libc, no globals, direct system calls only. What the parasite asks of one CPU family. */
#pragma once
#include <stdint.h>

#define E_PERM 1
#define E_INVAL 22

/* Extended state components that the process has asked for: ARCH_GET_XCOMP_PERM. 0: not told. */
uint64_t parasite_xcomp_perm(void);
/* ARCH_GET_CPUID: 1, 0 when the instruction raises SIGSEGV, or a negative errno. */
int32_t parasite_cpuid_allowed(void);

/* modify_ldt(2): is there an LDT; its entries, from l->next on. */
int32_t parasite_has_ldt(void);
struct inside_ldt;
long parasite_ldt(struct inside_ldt *l);

/* locks.c: MCL_FUTURE and MCL_ONFAULT of mlockall(2), which nothing shows but what is mapped next: @here, or a page. */
int32_t parasite_mlock_future(void *here);

struct inside_task;
/*
 * Overruns of timers whose signals wait (signo set): the kernel tells them only with the signal. It is taken, and the
 * timer set to have fired just as long ago, so that the same signal waits again. Should the dumper die meanwhile, this
 * runs to its end all the same.
 */
long parasite_count_overruns(struct inside_task *task);

struct inside_fork;
/* Negative errno when there is no helper; what became of the copy stands in @f. */
long parasite_fork(struct inside_fork *f);

struct inside_policy;
struct inside_policies;
/* policies.c: of the thread; of mappings, from p->next on */
void parasite_policy(struct inside_policy *to);
void parasite_policies(struct inside_policies *p);
