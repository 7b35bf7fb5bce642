/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flags of mappings (VmFlags in /proc/PID/smaps), read from kernel memory: smaps itself walks the page tables of all
 * memory, some 50 ms for each GiB. Which bit is which flag differs between kernels, and is not guessed but seen, in
 * mappings of our own, whose bits and whose line in smaps are both known. A mapping with any other bit has no answer.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernel/maps.h"
#include "kernel/proc_pid.h"

/* What is known of the bits of vm_flags. */
struct mapping_bits {
	uint64_t known;
	uint8_t flags[64]; /* VMF_* of each known bit */
};

/*
 * @words: what smaps says of a mapping with these bits: a word for each, in their order. Nothing is learned from fewer words:
 * some bits have none. -EOPNOTSUPP: contradicts what has been learned.
 */
int mapping_bits_learn(struct mapping_bits *bits, uint64_t value, const char *words, size_t len);
/* 1 << VMF_*; false: some bit is not known. */
bool mapping_bits_decode(const struct mapping_bits *bits, uint64_t value, uint64_t *ret_flags);

struct kernel_tasks_reader;
struct mapping_flags_reader;

/*
 * Adds and removes mappings of this process. @tasks must stay open. -EOPNOTSUPP: not available on this kernel.
 */
int mapping_flags_open(struct kernel_tasks_reader *tasks, struct mapping_flags_reader **ret);
/* NULL is allowed. */
void mapping_flags_close(struct mapping_flags_reader *reader);
/*
 * As smaps_read(), for a stopped process. It is not known then how much of a mapping is present, shared, or in huge pages
 * (not_counted). Negative errno, and nothing is returned: only smaps has the
 * answer, also for mappings whose counts matter: locked ones, and those of hugetlbfs.
 */
int mapping_flags_read(struct mapping_flags_reader *reader, const struct proc *p, struct maps *ret_maps,
		       struct vma_flags_array *to);
