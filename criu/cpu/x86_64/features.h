/* SPDX-License-Identifier: GPL-2.0-only */
/* Features of x86 CPUs, by the names of /proc/cpuinfo. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FEATURE_NAMES_MAX = 512 };

struct cpu_features {
	const uint32_t *words; /* in the order of the kernel's cpufeatures.h */
	size_t n;
};

/* Names of the features of @one that @other lacks, in @ret; returns their number. */
unsigned int cpu_features_beyond(const struct cpu_features *one, const struct cpu_features *other, bool only_chosen,
				 char ret[static FEATURE_NAMES_MAX]);
