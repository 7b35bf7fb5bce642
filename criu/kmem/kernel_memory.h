/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own memory, read only, for what no system call tells: a BPF program that reads where it is told, with
 * bpf_probe_read_kernel(), and /sys/kernel/btf for what lies there. Only what cannot change may be read: what belongs to
 * frozen tasks. CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN. 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "kmem/btf.h"

struct kernel_memory {
	/* Programs that tell where a CPU has its own, and what time it is; -1: not loaded yet. */
	int prog, map, percpu, clock;
	void *window; /* what program and we share */
	struct btf btf;
	long at_files, at_fdt, at_fd, at_private; /* from a task to its descriptors, and to what they stand for */
	long at_inode, at_vfs_inode, at_pid, at_tasks, at_links; /* from a file of /proc to its task */
	uint64_t page_scale,
		page_base; /* address of a page's bytes = its struct page * scale + base; 0: not known yet */
	uint64_t percpu_pointer;
};

/* -EPERM, -EOPNOTSUPP, -ENOENT: this kernel, or this user, cannot. */
int kernel_memory_open(struct kernel_memory *ret);
void kernel_memory_close(struct kernel_memory *mem);
/* -EFAULT: nothing there. */
int kernel_memory_read(const struct kernel_memory *mem, uint64_t at, void *to, size_t len);
/* An unsigned number of @len bytes; @ret is left alone on failure. */
int kernel_memory_word(const struct kernel_memory *mem, uint64_t at, size_t len, uint64_t *ret);
/* A field of the struct at @object, as an unsigned number of @len bytes. -EOPNOTSUPP: @field is negative. */
int kernel_memory_field(const struct kernel_memory *mem, uint64_t object, long field, size_t len, uint64_t *ret);
/* Where the caller's open files are: an array of struct file *, by descriptor. */
int kernel_memory_files(const struct kernel_memory *mem, uint64_t *ret);
/* struct task_struct of the caller */
int kernel_memory_task(const struct kernel_memory *mem, uint64_t *ret);
/* The same of the thread whose directory in /proc @dir is a descriptor of. -ESRCH */
int kernel_memory_task_of(const struct kernel_memory *mem, int dir, uint64_t *ret);
/* What a descriptor of ours stands for: private_data of its struct file, struct socket of a socket. */
int kernel_memory_private(const struct kernel_memory *mem, int fd, uint64_t *ret);
/* What a struct page stands for. */
int kernel_memory_of_page(struct kernel_memory *mem, uint64_t page, uint64_t *ret);
/* What a per-CPU pointer of the kernel stands for on @cpu, which must be a possible one; -ENXIO: there is no such CPU. */
int kernel_memory_of_cpu(struct kernel_memory *mem, uint64_t pointer, unsigned cpu, uint64_t *ret);
/* The kernel's own CLOCK_MONOTONIC (or CLOCK_BOOTTIME), whatever the caller's time namespace adds to it, in ns. */
int kernel_memory_clock(struct kernel_memory *mem, clockid_t clock, uint64_t *ret_ns);
