/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of frozen tasks, read from kernel memory: what they share, by comparing addresses, and attributes that
 * otherwise only a parasite could query. For trees of many processes; see dump/alike.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_TASK_NR_SIG 64
#define KERNEL_TASK_RLIMITS 16
#define KERNEL_TASK_FDS 256 /* tables with more descriptors are not read */
#define KERNEL_TASK_AUXV 64

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* Determines the attributes that are not read here: if it is equal in two processes, so are those. */
struct kernel_task_same {
	uint64_t altstack_sp, altstack_size, atomic_flags, thread_flags, syscall_work, io_context, policy;
	uint64_t dispatch_offset, dispatch_len, futex_hash, mm_flags, def_flags, ldt;
	uint64_t caps, session_keyring, process_keyring, thread_keyring, user, user_ns, landlock, fpu_perm;
	uint32_t altstack_flags, loginuid, sched_policy, static_prio, membarrier, securebits, reaper;
	uint8_t reqkey_keyring, timer_restore_ids;
};

/* Pointers are for comparison only. */
struct kernel_mapping {
	uint64_t start, end, flags, offset, file, ops, data, name;
	uint64_t policy; /* its own */
	uint64_t file_policy; /* 0: it can have none from the mapped object */
};

struct kernel_task {
	uint64_t task; /* 0: nothing is known of this task */
	uint64_t mm, files, fs, sighand; /* compared by kcmp(2) */
	uint64_t nsproxy, pid_ns, cgroups, exe_file;
	uint64_t root[2], cwd[2]; /* mount and dentry */
	uint64_t signal, cred, real_cred, pid, undo_list, fdt, security; /* intermediate pointers */
	uint64_t clear_child_tid, timer_slack_ns, brk;
	uint64_t rlimits[KERNEL_TASK_RLIMITS][2];
	uint64_t auxv[KERNEL_TASK_AUXV];
	struct kernel_sigaction actions[KERNEL_TASK_NR_SIG];
	uint32_t pdeath_signal, personality, max_fds;
	int16_t oom_score_adj;
	bool has_timers; /* of timer_create(2) or setitimer(2) */
	bool fds_known;
	uint64_t open_fds[KERNEL_TASK_FDS / 64], cloexec_fds[KERNEL_TASK_FDS / 64];
	uint64_t *fds; /* struct file of each; malloc'ed */
	size_t nr_fds; /* up to the highest one */
	struct kernel_mapping *mappings; /* if they have been read: in order; malloc'ed */
	size_t nr_mappings;
	struct kernel_task_same same;
};

struct kernel_tasks_reader;

/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. */
int kernel_tasks_open(struct kernel_tasks_reader **ret);
void kernel_tasks_close(struct kernel_tasks_reader *reader);
/* @dirs: descriptors of the processes' directories in /proc. Fills in the zeroed @tasks, all or none. */
int kernel_tasks_read(struct kernel_tasks_reader *reader, const int *dirs, struct kernel_task *tasks, size_t n);
void kernel_task_free(struct kernel_task *task);
/* Does this kernel have these newer attributes? Otherwise they have the same value in all processes. */
bool kernel_tasks_has_futex_hash(const struct kernel_tasks_reader *reader);
bool kernel_tasks_has_timer_ids(const struct kernel_tasks_reader *reader);
bool kernel_tasks_has_fpu_perm(const struct kernel_tasks_reader *reader);
/* True if there is neither a lock nor a lease on the file of this descriptor. */
bool kernel_file_has_no_locks(struct kernel_tasks_reader *reader, const struct kernel_task *task, int fd);

/*
 * vma_tree.c: reads task->mappings; those that a process has inherited are equal in every field. -EOPNOTSUPP:
 * there are more than @most, or some thousands.
 */
int kernel_task_read_mappings(struct kernel_tasks_reader *reader, struct kernel_task *task, size_t most);
