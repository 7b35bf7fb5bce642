// SPDX-License-Identifier: GPL-2.0-only
#include "util/x86_64/cpuid.h"
#include <cpuid.h>

#define EXTENDED 0x80000000u

/* The highest leaf of each of the two ranges. <cpuid.h> asks for it before each leaf. */
static uint32_t highest(uint32_t range)
{
	static uint32_t known[2];
	uint32_t *max = &known[range != 0];

	if (!*max)
		*max = __get_cpuid_max(range, 0);
	return *max;
}

bool cpuid_ask(uint32_t leaf, uint32_t subleaf, struct cpuid *ret)
{
	*ret = (struct cpuid){ 0 };
	if (leaf > highest(leaf & EXTENDED))
		return false;
	__cpuid_count(leaf, subleaf, ret->a, ret->b, ret->c, ret->d);
	return true;
}

const struct cpuid *cpuid_features(void)
{
	static struct cpuid known;

	if (!known.d)
		__cpuid_count(1, 0, known.a, known.b, known.c, known.d);
	return &known;
}
