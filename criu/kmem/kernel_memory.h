/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads kernel memory, for state that no system call returns: with a BPF program that reads at a given address by
 * bpf_probe_read_kernel(), and /sys/kernel/btf for the layout. Only data that cannot change may be read, those of
 * frozen tasks. Needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN. All functions return 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "kmem/btf.h"

struct kernel_memory {
	/* percpu: returns the address of a CPU's part; clock: the time; -1: not loaded yet. */
	int prog, map, percpu, clock;
	void *window; /* shared with the program */
	struct btf *btf; /* of this kernel */
	long at_files, at_fdt, at_fd, at_private; /* from a task to its open files and their private data */
	long at_inode, at_vfs_inode, at_pid, at_tasks, at_links; /* from a file of /proc to its task */
	uint64_t page_scale,
		page_base; /* address of a page's bytes = that of its struct page * scale + base; 0: not known yet */
	uint64_t percpu_pointer;
};

/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. */
int kernel_memory_open(struct kernel_memory *ret);
void kernel_memory_close(struct kernel_memory *mem);
/* -EFAULT: not mapped. */
int kernel_memory_read(const struct kernel_memory *mem, uint64_t at, void *to, size_t len);
/* An unsigned number of @len bytes; @ret is unchanged on failure. */
int kernel_memory_word(const struct kernel_memory *mem, uint64_t at, size_t len, uint64_t *ret);
/* A field of the struct at @object, as an unsigned number of @len bytes. -EOPNOTSUPP: @field is negative. */
int kernel_memory_field(const struct kernel_memory *mem, uint64_t object, long field, size_t len, uint64_t *ret);
/* An unsigned number of @len bytes in a struct that has been read as a whole. */
static inline uint64_t kernel_number(const void *bytes, long field, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)bytes + field, len);
	return value;
}
/* The address of the caller's open files: an array of struct file *, by descriptor. */
int kernel_memory_files(const struct kernel_memory *mem, uint64_t *ret);
/* The address of the caller's struct task_struct. */
int kernel_memory_task(const struct kernel_memory *mem, uint64_t *ret);
/* The same for a thread; @dir is a descriptor of its directory in /proc. -ESRCH: it is gone. */
int kernel_memory_task_of(const struct kernel_memory *mem, int dir, uint64_t *ret);
/* private_data of the struct file of our own descriptor: the struct socket of a socket. */
int kernel_memory_private(const struct kernel_memory *mem, int fd, uint64_t *ret);
/* Its struct inode. */
int kernel_memory_inode(const struct kernel_memory *mem, int fd, uint64_t *ret);
/* The address of the bytes of a struct page. */
int kernel_memory_of_page(struct kernel_memory *mem, uint64_t page, uint64_t *ret);
/*
 * The address of a per-CPU pointer of the kernel on @cpu, which must be a possible one. -ENXIO: there is no such CPU.
 */
int kernel_memory_of_cpu(struct kernel_memory *mem, uint64_t pointer, unsigned cpu, uint64_t *ret);
/* The kernel's own CLOCK_MONOTONIC (or CLOCK_BOOTTIME) in ns, without the offset of the caller's time namespace. */
int kernel_memory_clock(struct kernel_memory *mem, clockid_t clock, uint64_t *ret_ns);
