/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data passed between the tool and the code that runs inside a target: parasite (dump) and restorer. Plain fixed-size
 * types only; both sides are built with this header.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "pie/arch.h" /* of this CPU: criu/pie/ARCH/include */

/* ---- parasite: dump ------------------------------------------------------------------- */

enum parasite_command {
	PARASITE_VISIT = 1, /* args: struct parasite_visit */
	PARASITE_THREAD, /* args: struct parasite_threads; adds the thread that runs it */
	PARASITE_FORK, /* args: struct parasite_fork_state */
	PARASITE_POLICIES, /* args: struct parasite_visit: continues with its policies */
	PARASITE_ARCH, /* args: see pie/arch.h */
	PARASITE_REAP, /* args: struct parasite_reap */
	PARASITE_UFFD, /* args: struct parasite_uffd */
};

/* All queries about a process and its first thread, in one command. Offsets from here, multiples of 8. */
struct parasite_visit {
	uint32_t task; /* struct parasite_task */
	uint32_t thread; /* struct parasite_thread */
	uint32_t fds; /* struct parasite_fds */
	uint32_t policies; /* struct parasite_policy_list */
};

#define PARASITE_NR_SIG 64
#define PARASITE_NR_RLIMITS 16
#define PARASITE_MAX_TIMERS 4096

struct parasite_sigaction {
	uint64_t handler, flags, restorer, mask;
};
struct parasite_timeval {
	int64_t sec, usec;
};
struct parasite_itimer {
	struct parasite_timeval interval, value;
};
struct parasite_posix_timer {
	int32_t id; /* in */
	int32_t clock; /* in */
	int32_t signo; /* in: its signal is in the shared queue, alone or with others of its kind: count its overruns; 0: no */
	int32_t overrun; /* out, and below: with @signo, those since the queued signal */
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

#define PARASITE_MAX_NODES 1024
/* Where memory is allocated: mode 0 is the default. */
struct parasite_vma_policy {
	int32_t mode; /* MPOL_*, MPOL_F_*; or negative errno */
	uint32_t index; /* of a mapping, in parasite_policy_list.at */
	uint64_t nodes[PARASITE_MAX_NODES / 64];
};

/* Mappings with their own policy: as many as there is space for; the next command continues after them. */
#define PARASITE_MAX_POLICIES 8
struct parasite_policy_list {
	uint32_t nr; /* in: of at[] */
	uint32_t next; /* in and out: the first one that has not been queried yet */
	uint32_t nr_found; /* out */
	uint32_t pad;
	struct parasite_vma_policy found[PARASITE_MAX_POLICIES]; /* out */
	uint64_t at[]; /* in: start addresses of mappings */
};

/* One process. A failed call stores its negative errno in *_err. */
struct parasite_task {
	uint64_t want_sigactions; /* in: bit n-1 set: query signal n; the others are SIG_DFL without flags */
	struct parasite_sigaction sigactions[PARASITE_NR_SIG];
	struct parasite_itimer itimers[3]; /* real, virtual, prof */
	uint64_t rlimits[PARASITE_NR_RLIMITS][2];
	uint64_t brk;
	int32_t dumpable; /* PR_GET_DUMPABLE */
	int32_t child_subreaper;
	int32_t thp_disabled; /* PR_GET_THP_DISABLE: 0, 1, or flags */
	int32_t mdwe; /* PR_GET_MDWE, or negative errno */
	int32_t memory_merge; /* PR_GET_MEMORY_MERGE, or negative errno */
	int32_t futex_slots; /* PR_FUTEX_HASH_GET_SLOTS, or negative errno */
	int32_t membarrier; /* registrations mask, or negative errno */
	uint32_t nr_timers; /* in */
	int32_t session_keyring; /* found by the name that login programs use; or negative errno */
	int32_t timer_restore_ids; /* PR_TIMER_CREATE_RESTORE_IDS, or negative errno */
	struct parasite_arch_task arch;
	int32_t mlock_future; /* MCL_FUTURE, MCL_ONFAULT: future mappings are locked; or 0 */
	uint32_t pad;
	struct parasite_posix_timer timers[];
};

struct parasite_thread {
	uint64_t clear_child_tid; /* PR_GET_TID_ADDRESS */
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	int32_t pdeath_signal;
	int32_t securebits; /* includes KEEP_CAPS */
	uint64_t timer_slack_ns;
	int32_t spec_store_bypass, spec_indirect_branch, spec_l1d_flush; /* PR_GET_SPECULATION_CTRL or negative errno */
	int32_t ioprio;
	struct parasite_arch_thread arch;
	int32_t thread_keyring,
		process_keyring; /* KEYCTL_GET_KEYRING_ID, without creating one: number, or negative errno */
	int32_t mount_refused; /* mount(2) fails with EPERM, despite CAP_SYS_ADMIN */
	uint32_t personality;
	int32_t reqkey_keyring; /* KEYCTL_SET_REQKEY_KEYRING, or negative errno */
	int32_t pad;
	struct parasite_vma_policy policy;
};

struct parasite_threads {
	uint32_t nr, room; /* in and out; in */
	struct parasite_thread threads[]; /* out */
};

/* The name of a copy, and of the helper that creates it. */
#define PARASITE_COPY_NAME "criu-copy"

/* The copy has its own session and no descriptors. When it is not traced any more it exits, or waits for @guard. */
struct parasite_fork_state {
	int32_t helper; /* creates the copy: traced, starts stopped for its tracer */
	int32_t copy; /* or negative errno */
	/*
	 * Its parent: the process (it sends no exit signal, and has to be reaped); otherwise the process that adopts
	 * orphans.
	 */
	uint32_t is_child;
	int32_t guard; /* for a child: it stays alive as long as this process, which kills it */
	uint8_t stack[8192]; /* the helper's */
};

/* The name of the helper that creates a userfaultfd of the process's memory, in a descriptor table of its own. */
#define PARASITE_UFFD_NAME "criu-uffd"

struct parasite_uffd {
	int32_t helper; /* as in parasite_fork_state: the tracer takes the descriptor from it when it exits */
	int32_t fd; /* in the helper; or negative errno */
	uint8_t stack[4096]; /* the helper's */
};

/* A child that the program does not know of: waits until it exits, and removes the SIGCHLD for it. */
struct parasite_reap {
	int32_t pid;
	int32_t take_signal; /* also remove a SIGCHLD for it */
};

struct parasite_fds {
	uint32_t nr;
	int32_t fds[]; /* in: descriptor numbers; out: F_GETFD or negative errno */
};

/* ---- restorer --------------------------------------------------------------------------- */
/*
 * Everything below is in one region of memory that is free both in the tool's forked process and in the final address
 * space; pointers are addresses in that region. The tool builds it (restore/hand_over.c), the kinds fill it in by their
 * hand_over, and the file of the same name in criu/pie/restorer/ acts on it.
 */

#define WIRE_PROT_UNKNOWN (~0u)

struct wire_vma {
	uint64_t start, end;
	uint64_t pgoff; /* bytes */
	uint64_t
		staged; /* address of a staging mapping that contains its pages already (inherited by fork, or supplied), 0: none */
	uint64_t madv; /* bits: MADV_* numbers */
	uint64_t flags; /* MAP_* for mmap, without MAP_FIXED */
	uint32_t prot;
	uint32_t status; /* vma_entry.status */
	int32_t fd; /* descriptor to map, -1 */
	int32_t shmid; /* SysV segment to attach, -1 */
	uint64_t name; /* char *: anonymous name, 0 */
	uint64_t policy; /* struct wire_policy, 0: the default */
	uint64_t segment_len; /* of the whole SysV segment */
	uint32_t locked; /* mlock(2)ed: 1, or 2: pages as they are faulted in (MLOCK_ONFAULT) */
	uint32_t sealed; /* mseal(2)ed */
	uint32_t unplaced; /* its file ignores the address in mmap(2): see restorer/placed.c */
	uint32_t prot_now; /* until its pages are loaded; WIRE_PROT_UNKNOWN: it is set in any case */
	uint32_t lazy, pad_lazy; /* registered with wire_task.uffd */
	uint64_t
		whole; /* its file can only be mapped from 0 on and with this length, and this is a part of it; 0: no such restriction */
};

struct wire_range {
	uint64_t start, end;
};

/* For set_mempolicy(2), mbind(2). */
struct wire_policy {
	uint32_t mode, pad;
	uint64_t nodes[PARASITE_MAX_NODES / 64];
};

/* A context of io_setup(2) that exists already. */
struct wire_aio {
	uint64_t start, waits_at, len; /* of its ring; the VMA at @start has it staged */
	uint32_t id; /* the kernel's id, which is stored in the ring */
	uint32_t pad;
};

/* One special mapping ([vvar], [vvar_vclock], [vdso]) of the process that becomes the task. See restorer/vdso.h. */
struct wire_vdso_part {
	uint64_t now, len;
	uint64_t then; /* 0: it is unmapped */
	uint32_t prot; /* final protection */
	uint32_t prot_now;
};
#define WIRE_VDSO_PARTS 6

/* Instructions to be written over a function of the image's vDSO. */
struct wire_vdso_patch {
	uint64_t at;
	uint8_t len, code[31];
};

/*
 * Pages in a file: @len bytes at @offset of @fd are read to @addr. Sorted by addr. All others are in memory already:
 * wire_vma.staged.
 */
struct wire_io {
	uint64_t addr, len, offset;
	int32_t fd;
	uint32_t flags;
};

struct wire_posix_timer {
	int32_t id, clock_id, notify, signo;
	uint64_t sigval;
	int32_t notify_tid;
	int32_t waiting, overrun; /* its signal is queued, with so many overruns: it fires again to queue it */
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

struct wire_sigqueue {
	uint64_t infos; /* siginfo_t[nr], 128 bytes each */
	uint32_t nr, pad;
};

struct wire_creds {
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	uint32_t cap_inh[2], cap_prm[2], cap_eff[2], cap_bnd[2], cap_amb[2];
	uint32_t securebits, nr_groups;
	uint64_t groups; /* uint32_t[nr_groups] */
	uint32_t last_cap; /* of this kernel */
	uint32_t no_new_privs;
	/*
	 * @nested: ids of -1 stay as they are, as they may have no number in the user namespace of the task; others are set without a
	 * comparison, as those without a number all look the same.
	 */
	uint32_t nested, has_groups;
};

/* A struct sock_fprog as passed to seccomp(2); @flags is in its padding. */
struct wire_seccomp_filter {
	uint16_t nr, pad;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
	uint64_t insns; /* struct sock_filter[nr] */
};

/* Attributes that the thread has inherited with the right value: they are not set. */
enum wire_inherited {
	INHERITED_CREDS = 1 << 0,
	INHERITED_PERSONALITY = 1 << 1,
	INHERITED_SCHED = 1 << 2, /* nice value, policy, I/O priority */
	INHERITED_SLACK = 1 << 3,
	INHERITED_MEMPOLICY = 1 << 4,
	/* Of a process, in its first thread: */
	INHERITED_DUMPABLE = 1 << 5,
	INHERITED_THP = 1 << 6,
	INHERITED_NO_SIGCHLD = 1 << 7, /* it has forked no processes */
};

struct wire_thread {
	uint64_t task; /* struct wire_task */
	int32_t tid; /* in its own pid namespace */
	uint32_t index;
	uint64_t tids; /* int32_t[wire_task.pid_levels], that one first, as for clone3(2) */
	uint64_t stack, stack_size;
	struct wire_arch_thread arch;
	uint64_t sigframe; /* returned through when the tool does not set the thread's registers */
	uint64_t clear_child_tid, robust_list, robust_list_len;
	uint64_t rseq_ptr;
	uint32_t rseq_size, rseq_sig;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	int32_t pdeath_signal;
	uint64_t timer_slack_ns; /* 0: unchanged */
	int32_t sched_policy, sched_priority, sched_nice;
	uint32_t sched_flags;
	uint64_t sched_runtime, sched_deadline, sched_period;
	int32_t sched_util_min, sched_util_max; /* < 0: unchanged */
	uint64_t policy; /* struct wire_policy, 0: the default */
	uint64_t affinity; /* cpu_set_t bytes, 0: unchanged */
	uint32_t affinity_len;
	int32_t ioprio; /* -1: unchanged */
	int32_t io_flusher; /* < 0: unchanged */
	int32_t mce_kill; /* < 0: unchanged */
	int32_t spec_store_bypass, spec_indirect_branch, spec_l1d_flush; /* < 0: unchanged */
	uint32_t personality;
	int32_t reqkey_keyring; /* 0: unchanged */
	char comm[16];
	struct wire_creds creds;
	struct wire_sigqueue pending;
	uint32_t seccomp_mode; /* 0, 1 strict, 2 filter */
	uint32_t nr_filters;
	uint64_t filters; /* struct wire_seccomp_filter[], the oldest first */
	int32_t label_fd; /* its label is to be written there when its filters are installed; 0: nothing is */
	uint32_t pad_label;
	uint64_t capset_header, capset_data; /* for capset(2) after the filters, 0: nothing to drop */
	uint64_t
		filtered_entry; /* in the blob, with this struct as argument: where the tool makes a thread continue whose filters it has installed */
	int32_t close_from, close_to; /* descriptors to be closed there */
	uint32_t ends; /* the first one: it does not continue, but exits with exit_status when end_now is set */
	_Atomic uint32_t end_now; /* futex */
	_Atomic uint32_t here; /* futex; 0: it does not use this memory any more */
	int32_t exit_status;
	uint32_t exists; /* created by RESTORER_THREAD */
	uint32_t has_tid_address; /* clear_child_tid was set when it was created */
	uint32_t inherited; /* enum wire_inherited */
	_Atomic uint32_t turn; /* futex; enum turn_result: of one that is created when it is its process's turn */
};

enum restorer_command {
	RESTORER_RUN, /* args: struct wire_task. Becomes the task, does not return */
	RESTORER_VM_PEER, /* the same; another task that shares the memory lays it out */
	RESTORER_THREAD, /* args: struct wire_thread, just created: it waits. Returns 0 or a negative errno */
};

/*
 * Threads with numbers in pid namespaces where their process may not set any: one of all processes at a time creates one, when
 * the tool has arranged for the kernel to take these numbers next. restorer/turns.c, restore/turns.c
 */
enum turn_state {
	TURN_FREE,
	TURN_ASKED, /* for the tool: the process wants to create it */
	TURN_READY, /* for the process: it may */
	TURN_CREATED, /* for the tool: has it the right numbers? */
	TURN_RIGHT, /* for the process */
	TURN_WRONG, /* another process has taken one: again */
};

struct restorer_turn {
	_Atomic int32_t holder; /* futex; pid, in the images, of the process whose turn it is; 0: nobody's */
	_Atomic uint32_t state; /* futex */
	_Atomic uint32_t thread; /* index in its process */
};

/* What a thread that waits to know whether its numbers are right finds out. */
enum turn_result { TURN_UNKNOWN, TURN_STAYS, TURN_EXITS };

/* All tasks that share one memory (CLONE_VM): at some points each of them waits for all. */
struct wire_group {
	uint32_t members;
	_Atomic uint32_t arrived; /* futex; not reset between meetings */
};

/* Why a restorer failed, to be logged by the tool. */
struct restorer_error {
	_Atomic uint32_t state; /* 0: free, 1: being written, 2: complete */
	int32_t error;
	char text[256];
};

/* Statistics of all tasks. */
struct restorer_counts {
	_Atomic uint64_t bytes, pages_restored; /* that they have read */
	_Atomic uint64_t pages_compared, pages_inherited; /* copy-on-write memory: compared; inherited by fork */
	_Atomic uint32_t helpers; /* threads of tasks that help to restore memory: they count against limits, and end */
};

/* Of the kernel: MAX_PID_NS_LEVEL + 1. */
#define PID_LEVELS_MAX 33

struct wire_task {
	uint64_t region, region_len; /* this region */
	uint64_t group; /* struct wire_group */
	uint64_t alloc_next, alloc_end; /* of wire_alloc */
	int32_t pid;
	int32_t log_fd;
	uint32_t log_level;
	uint32_t pad_log;
	/* State that the tool shares with us (addresses in the region; run/shared.h) */
	uint64_t ready_count; /* _Atomic uint32_t: tasks that are ready; the last one wakes the tool */
	uint32_t ready_expected, pad_ready;
	uint64_t event; /* _Atomic uint32_t, futex: something has happened */
	uint64_t shared_failed; /* _Atomic int32_t: first failure */
	uint64_t committed; /* _Atomic uint32_t: the tree survives the tool */
	uint64_t tool; /* _Atomic uint32_t, robust futex that the tool holds */
	uint64_t error; /* struct restorer_error */
	uint64_t counts; /* struct restorer_counts */
	uint64_t turn; /* struct restorer_turn */
	/* memory */
	uint64_t reserved, nr_reserved; /* struct wire_range[], sorted: not unmapped at first */
	uint64_t vmas, nr_vmas; /* struct wire_vma[], sorted */
	uint64_t ios, nr_ios; /* struct wire_io[], sorted */
	uint64_t aios, nr_aios; /* struct wire_aio[] */
	int32_t uffd; /* userfaultfd, whose other holder supplies the pages that are not in @ios */
	uint32_t has_uffd;
	uint64_t stage, stage_len; /* free addresses for huge-page staging; 0: read in place */
	uint32_t unshare; /* CLONE_NEW*: for children only */
	/* Label of SELinux: attr/current of the process; of AppArmor: /proc, and @label_path in it; -1: nothing to write */
	int32_t label_fd;
	uint32_t label_len;
	uint64_t label; /* to be written there */
	uint64_t label_path; /* of the calling thread; 0: each process has one */
	int32_t enter_fd; /* pidfd of a process, whose pid namespace is for children; -1: none */
	int32_t reader_tid; /* tid of a thread that helps to read, the same in all pid namespaces; 0: none is needed */
	uint32_t
		pid_levels; /* pid namespaces from that of the root to its own: numbers that a thread is created with */
	uint32_t settable_levels; /* of these, its own first: where it may choose the numbers of its threads */
	int32_t tree_pid; /* in the images */
	uint32_t pad_reader;
	struct wire_vdso_part vdso_parts[WIRE_VDSO_PARTS]; /* ascending in now */
	uint32_t nr_vdso_parts, nr_vdso_patches;
	uint64_t vdso_detour; /* parts are moved through here; 0: directly */
	uint64_t vdso_patches; /* struct wire_vdso_patch[] */
	struct wire_range vdso_placed; /* destination of the parts: no other mapping, no pages to be read there */
	struct wire_range
		vdso_old; /* to be patched: the image's vDSO, with this final protection; empty: the same vDSO */
	uint32_t vdso_old_prot, vdso_pad;
	uint64_t mm_map; /* struct prctl_mm_map */
	struct wire_arch_task arch;
	uint32_t mlock_future; /* MCL_*, 0: none */
	int32_t thp_disabled; /* as returned by PR_GET_THP_DISABLE; < 0: unchanged, and below */
	int32_t mdwe, memory_merge, membarrier;
	int32_t futex_slots, pad_mm;
	/* process-wide */
	uint32_t set_sigactions; /* 0: another task that shares them sets them */
	/*
	 * Descriptors from here on belong to the restore. 0: they are closed by another task, or before this one is
	 * ready.
	 */
	int32_t service_base;
	int32_t own_service_base, pad_base; /* ... and here it closes them itself, as its table is not shared. 0: no */
	uint64_t differing_sigactions; /* bit n - 1: the action of signal n differs from the inherited one */
	struct parasite_sigaction sigactions[PARASITE_NR_SIG];
	struct parasite_itimer itimers[3];
	int64_t monotonic_stood, boottime_stood; /* nanoseconds: the task's clocks at the dump; 0: unknown */
	uint64_t rlimits[PARASITE_NR_RLIMITS][2];
	uint32_t set_rlimits, nr_timers; /* bit n: limit n differs from the inherited one */
	uint64_t timers; /* struct wire_posix_timer[], by id */
	struct wire_sigqueue pending;
	int32_t dumpable, child_subreaper;
	int32_t timer_restore_ids;
	uint32_t nr_threads;
	uint64_t threads; /* struct wire_thread[] */
	_Atomic uint32_t threads_go; /* futex: all threads exist, each may set itself up */
	_Atomic uint32_t threads_ready; /* futex */
	_Atomic int32_t failed;
};
