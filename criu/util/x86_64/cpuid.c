// SPDX-License-Identifier: GPL-2.0-only
#include "util/x86_64/cpuid.h"
#include <cpuid.h>
#include <stdatomic.h>

#define EXTENDED 0x80000000u

/* The highest leaf of each of the two ranges. <cpuid.h> asks for it before each leaf. */
static uint32_t highest(uint32_t range)
{
	static _Atomic uint32_t known[2];
	uint32_t max = atomic_load(&known[range != 0]);

	if (!max) {
		max = __get_cpuid_max(range, 0);
		atomic_store(&known[range != 0], max);
	}
	return max;
}

bool cpuid_ask(uint32_t leaf, uint32_t subleaf, struct cpuid *ret)
{
	*ret = (struct cpuid){ 0 };
	if (leaf > highest(leaf & EXTENDED))
		return false;
	__cpuid_count(leaf, subleaf, ret->a, ret->b, ret->c, ret->d);
	return true;
}

struct cpuid cpuid_features(void)
{
	enum { UNKNOWN, BEING_WRITTEN, KNOWN };
	static struct cpuid known;
	static _Atomic int state;
	struct cpuid now;
	int expected = UNKNOWN;

	if (atomic_load_explicit(&state, memory_order_acquire) == KNOWN)
		return known;
	__cpuid_count(1, 0, now.a, now.b, now.c, now.d);
	if (atomic_compare_exchange_strong(&state, &expected, BEING_WRITTEN)) {
		known = now;
		atomic_store_explicit(&state, KNOWN, memory_order_release);
	}
	return now;
}
