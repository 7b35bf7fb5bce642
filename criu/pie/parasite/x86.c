// SPDX-License-Identifier: GPL-2.0-only
/* Inside a target: no libc, no globals, direct system calls only. arch_prctl(2) of x86. */
#include <compel/pie.h>
#include "parasite.h"

enum {
	GET_CPUID = 0x1011,
	GET_XCOMP_PERM = 0x1022,
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
