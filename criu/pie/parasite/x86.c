// SPDX-License-Identifier: GPL-2.0-only
/* Inside a target: no libc, no globals, direct system calls only. arch_prctl(2) and modify_ldt(2) of x86. */
#include <compel/pie.h>
#include <linux/mman.h>
#include "base/bits.h"
#include "pie/wire.h"
#include "parasite.h"

enum {
	GET_CPUID = 0x1011,
	GET_XCOMP_PERM = 0x1022,
	READ_LDT = 0,
};

uint64_t parasite_xcomp_perm(void)
{
	uint64_t perm = 0;

	return sys_arch_prctl(GET_XCOMP_PERM, (unsigned long)&perm) < 0 ? 0 : perm;
}

int32_t parasite_cpuid_allowed(void)
{
	return (int32_t)sys_arch_prctl(GET_CPUID, 0);
}

int32_t parasite_has_ldt(void)
{
	uint64_t first;

	return sys_call3(__NR_modify_ldt, READ_LDT, (long)&first, sizeof(first)) > 0;
}

/* The kernel only gives it from its beginning. */
long parasite_ldt(struct inside_ldt *l)
{
	const size_t len = INSIDE_LDT_END * sizeof(uint64_t);
	uint64_t *all = (uint64_t *)sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if ((long)all < 0 && (long)all > -(long)PAGE_SZ)
		return (long)all;
	long err = sys_call3(__NR_modify_ldt, READ_LDT, (long)all, (long)len);
	for (l->nr_found = 0; err > 0 && l->next < INSIDE_LDT_END && l->nr_found < INSIDE_LDT_ENTRIES; l->next++)
		if (all[l->next])
			l->found[l->nr_found++] =
				(struct inside_ldt_entry){ .descriptor = all[l->next], .index = l->next };
	sys_munmap(all, len);
	return err < 0 ? err : 0;
}
