// SPDX-License-Identifier: GPL-2.0-only
#include "cpu/x86_64/xcr0.h"
#include <cpuid.h>
#include <stdbool.h>

/* In a virtual machine each CPUID traps to the hypervisor, for some 20 to 70 us: it is executed once. */
static bool may_read(void)
{
	static bool asked;
	static unsigned int c;
	unsigned int a, b, d;

	if (!asked && !__get_cpuid_count(1, 0, &a, &b, &c, &d))
		c = 0;
	asked = true;
	return c & bit_OSXSAVE;
}

uint64_t cpu_xcr0(void)
{
	unsigned int a, d;

	if (!may_read())
		return XCR0_LEGACY;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}
