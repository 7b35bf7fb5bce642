// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inside a target: no libc, no globals, direct system calls only. Queries x86-specific state: arch_prctl(2),
 * modify_ldt(2), TSC.
 */
#include <compel/pie.h>
#include <linux/mman.h>
#include "base/bits.h"
#include "pie/wire.h"
#include "pie/parasite/parasite.h"

enum {
	GET_TSC = 25, /* prctl(2) */
	GET_CPUID = 0x1011,
	GET_XCOMP_PERM = 0x1022,
	READ_LDT = 0,
};

static long arch_prctl(int option, void *arg)
{
	return sys_call2(__NR_arch_prctl, option, (long)arg);
}

void parasite_arch_task(struct parasite_arch_task *to)
{
	uint64_t perm = 0, first;

	to->xcomp_perm = arch_prctl(GET_XCOMP_PERM, &perm) < 0 ? 0 : perm;
	to->has_ldt = sys_call3(__NR_modify_ldt, READ_LDT, (long)&first, sizeof(first)) > 0;
}

void parasite_arch_thread(struct parasite_arch_thread *to)
{
	int32_t mode = 0;
	long err = sys_prctl(GET_TSC, (unsigned long)&mode, 0, 0, 0);

	to->tsc_mode = err < 0 ? (int32_t)err : mode;
	to->cpuid_allowed = (int32_t)arch_prctl(GET_CPUID, NULL);
}

/* The kernel can only return it from its start. */
long parasite_arch_command(void *args)
{
	struct parasite_ldt *l = args;
	const size_t len = LDT_END * sizeof(uint64_t);
	uint64_t *all = (uint64_t *)sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if ((long)all < 0 && (long)all > -(long)PAGE_SZ)
		return (long)all;
	long err = sys_call3(__NR_modify_ldt, READ_LDT, (long)all, (long)len);
	for (l->nr_found = 0; err > 0 && l->next < LDT_END && l->nr_found < LDT_ENTRIES_AT_ONCE; l->next++)
		if (all[l->next])
			l->found[l->nr_found++] = (struct ldt_slot){ .descriptor = all[l->next], .index = l->next };
	sys_munmap(all, len);
	return err < 0 ? err : 0;
}
