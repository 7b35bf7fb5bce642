/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID. In a virtual machine each one traps to the hypervisor, for some 20 to 70 us, so none is executed in vain. Of any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cpuid {
	uint32_t a, b, c, d;
};

/* False, and all 0: this CPU has no such leaf. */
bool cpuid_ask(uint32_t leaf, uint32_t subleaf, struct cpuid *ret);
/* Leaf 1, which all have: executed once. */
struct cpuid cpuid_features(void);
