/* SPDX-License-Identifier: GPL-2.0-only */
/* Many small reads of kernel memory in one run of a program, for reading hundreds of tasks. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define KERNEL_BATCH_READS 64
#define KERNEL_BATCH_LONGEST 4096u /* bytes of one read */
#define KERNEL_BATCH_HOPS 64 /* of one kernel_batch_follow() */

struct kernel_batch {
	int map, prog;
	int chain; /* the program of kernel_batch_follow(); -1: not loaded yet */
	void *window;
	unsigned n;
	uint32_t used;
	void *to[KERNEL_BATCH_READS];
	int err; /* the first: of a run, or -EFAULT of a read */
};

/* -EPERM, -EOPNOTSUPP: not available on this kernel, or not permitted. */
int kernel_batch_open(struct kernel_batch *ret);
void kernel_batch_close(struct kernel_batch *batch);
/* @to is undefined until the next kernel_batch_run() has returned; zeroes for @at 0 (NULL), -EFAULT for what cannot be read. */
void kernel_batch_add(struct kernel_batch *batch, uint64_t at, void *to, size_t len);
/* 0, or the first error since the last call. */
int kernel_batch_run(struct kernel_batch *batch);
/* The pointer at @at, the pointer at that address, and so on; 0 behind one that cannot be read. Nothing may be pending. */
int kernel_batch_follow(struct kernel_batch *batch, uint64_t at, uint64_t ret[KERNEL_BATCH_HOPS]);
