/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to kmem. */
#pragma once
#include "kmem/batch.h"
#include "kmem/reader.h"

/* Fields that are not simply copied to a task. */
#define KERNEL_TASKS_FIELDS(X)                                       \
	X(files_fdt, "files_struct", "fdt", NULL)                    \
	X(max_fds, "fdtable", "max_fds", NULL)                       \
	X(fd, "fdtable", "fd", NULL)                                 \
	X(close_on_exec, "fdtable", "close_on_exec", NULL)           \
	X(open_fds, "fdtable", "open_fds", NULL)                     \
	X(pid_level, "pid", "level", NULL)                           \
	X(pid_numbers, "pid", "numbers", NULL)                       \
	X(upid_size, "upid", NULL, NULL)                             \
	X(upid_ns, "upid", "ns", NULL)                               \
	X(action, "sighand_struct", "action", NULL)                  \
	X(action_size, "k_sigaction", NULL, NULL)                    \
	X(action_handler, "k_sigaction", "sa.sa_handler", NULL)      \
	X(action_flags, "k_sigaction", "sa.sa_flags", NULL)          \
	X(action_mask, "k_sigaction", "sa.sa_mask", NULL)            \
	X(real_timer, "signal_struct", "real_timer.node.node", NULL) \
	X(itimer_size, "cpu_itimer", NULL, NULL)                     \
	X(itimers, "signal_struct", "it", NULL)                      \
	X(real_interval, "signal_struct", "it_real_incr", NULL)      \
	X(posix_timers, "signal_struct", "posix_timers", NULL)       \
	X(f_inode, "file", "f_inode", NULL)                          \
	X(i_flctx, "inode", "i_flctx", NULL)                         \
	X(mm_tree, "mm_struct", "mm_mt.ma_root", NULL)               \
	X(node_size, "maple_node", NULL, NULL)                       \
	X(leaf_pivot, "maple_range_64", "pivot", NULL)               \
	X(leaf_slot, "maple_range_64", "slot", NULL)                 \
	X(inner_pivot, "maple_arange_64", "pivot", NULL)             \
	X(inner_slot, "maple_arange_64", "slot", NULL)               \
	X(vma_start, "vm_area_struct", "vm_start", NULL)             \
	X(vma_end, "vm_area_struct", "vm_end", NULL)                 \
	X(vma_flags, "vm_area_struct", "vm_flags", NULL)             \
	X(vma_offset, "vm_area_struct", "vm_pgoff", NULL)            \
	X(vma_file, "vm_area_struct", "vm_file", NULL)               \
	X(vma_ops, "vm_area_struct", "vm_ops", NULL)                 \
	X(vma_data, "vm_area_struct", "vm_private_data", NULL)       \
	X(get_policy, "vm_operations_struct", "get_policy", NULL)    \
	X(vma_policy, "vm_area_struct", "vm_policy", NULL)           \
	X(vma_size, "vm_area_struct", NULL, NULL)                    \
	X(thread_head, "signal_struct", "thread_head", NULL)         \
	X(thread_node, "task_struct", "thread_node", NULL)           \
	X(thread_pid, "task_struct", "thread_pid", NULL)             \
	X(upid_nr, "upid", "nr", NULL)

/* Names: of prctl(PR_SET_VMA). A restorer: not on every CPU. */
#define KERNEL_TASKS_OPTIONAL_FIELDS(X)                  \
	X(vma_name, "vm_area_struct", "anon_name", NULL) \
	X(action_restorer, "k_sigaction", "sa.sa_restorer", NULL)

struct kernel_tasks_fields {
	KERNEL_TASKS_FIELDS(KERNEL_FIELD_MEMBER)
	KERNEL_TASKS_OPTIONAL_FIELDS(KERNEL_FIELD_MEMBER)
};

#define KERNEL_TASK_VALUES 64
#define KERNEL_THREAD_VALUES 32

struct kernel_tasks_reader {
	struct kernel_memory mem;
	struct kernel_tasks_fields at;
	struct kernel_batch batch;
	long values[KERNEL_TASK_VALUES]; /* offsets of the values of tasks.c */
	long thread_values[KERNEL_THREAD_VALUES]; /* the same, of threads.c */
	bool knows_threads;
	struct mapping_walk *walk; /* vma_tree.c: large, so it is kept; NULL: not needed yet */
	int landlock_word; /* index at cred->security; -1: no Landlock */
};
