// SPDX-License-Identifier: GPL-2.0-only
#include "cpu/x86_64/xcr0.h"
#include <cpuid.h>
#include "util/x86_64/cpuid.h"

uint64_t cpu_xcr0(void)
{
	unsigned int a, d;

	if (!(cpuid_features().c & bit_OSXSAVE))
		return XCR0_LEGACY;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}
