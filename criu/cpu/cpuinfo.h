/* SPDX-License-Identifier: GPL-2.0-only */
/* cpuinfo.img: what the CPU of a dump has, compared with this one. Errors are logged. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct image_store;
struct options;

int cpuinfo_write(struct image_store *store);
/* @caps: enum cpu_cap, what must be the same. An image that is missing is an error only if they require one. */
int cpuinfo_compare(struct image_store *store, uint32_t caps);

/* What programs can read of this CPU. Returns the number of words; what they mean is defined by the type of CPU. */
enum { CPU_FEATURE_WORDS = 20 };
size_t cpu_features_read(uint32_t ret[static CPU_FEATURE_WORDS]);
/* -EOPNOTSUPP: this CPU lacks some of those by which libraries choose functions when a program starts. */
int cpu_features_compare(const uint32_t *words, size_t n);

/* The commands: in the images directory of @opts, whatever else it contains. */
int cpuinfo_dump(const struct options *opts);
int cpuinfo_check(const struct options *opts);
