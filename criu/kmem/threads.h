/* SPDX-License-Identifier: GPL-2.0-only */
/* State of the stopped threads of a process in kernel memory; see dump/alike_threads.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "kmem/tasks.h"

/* State that determines the answers that are not read here. */
struct kernel_thread_same {
	uint64_t cred, real_cred, io_context, policy, atomic_flags, thread_flags, syscall_work;
	uint64_t dispatch_offset, dispatch_len;
	uint32_t sched_policy, static_prio;
};

struct kernel_thread {
	uint64_t task;
	uint64_t fs, files, nsproxy; /* shared with another thread if equal */
	uint64_t cgroups; /* its set; as in struct kernel_task */
	uint64_t clear_child_tid, timer_slack_ns, robust_list, altstack_sp, altstack_size;
	uint32_t altstack_flags, pdeath_signal, personality;
	uint64_t tls[3]; /* of x86, as in its descriptor table: all 0, if there are none */
	uint64_t pid; /* intermediate pointer */
	int32_t tid; /* as seen by the caller */
	struct kernel_thread_same same;
};

/*
 * All threads of @leader, a process that kernel_tasks_read() has read: @n threads, in the kernel's order. -ESRCH: their
 * number is different.
 */
int kernel_threads_read(struct kernel_tasks_reader *reader, const struct kernel_task *leader,
			struct kernel_thread *threads, size_t n);
