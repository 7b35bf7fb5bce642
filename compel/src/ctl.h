/* SPDX-License-Identifier: LGPL-2.1-only */
/* One address space that we run code in. Internal to the library. */
#pragma once
#include "arch.h"
#include "target.h"

/* A borrowed thread: the state to restore, and its cave. */
struct borrowed {
	pid_t tid;
	bool parked; /* the cave is filled and the registers point to it */
	uint64_t cave;
	struct compel_regs own; /* as read at the stop: restored by a living tracer */
	struct compel_regs goal; /* restored by the cure: system calls are set up to restart */
	uint64_t mask;
	bool aborted; /* rseq critical section aborted */
	int cpu; /* it ran on last, and will run on as long as we wake it from there */
	int yield_signal; /* without an effect on it, and not blocked; 0: none */
	struct cure cure; /* default for calls */
};

struct compel_ctl {
	int mem;
	uint64_t cave, cave_len; /* space for two: the main thread's and another's */
	struct target_map *maps; /* from the last ctl_read_maps, sorted */
	size_t nr_maps;
	struct borrowed main;
	bool caves_in_use; /* a handler may still return into a dead tracer's cave */
	bool not_restored; /* a thread's registers could not be restored: it depends on its cure */
	bool restoring; /* a process that we created, whose filter is known to allow compel_finish */
	/* The scratch area of compel_infect; len 0: none. */
	uint64_t scratch, scratch_len;
	uint64_t args, args_len, stack, gate, blob, entry;
	struct cpu_pin pin; /* CPU of the thread that was run last: until the cure */
	void (*meanwhile)(void *arg); /* of compel_command_with: called at the next resume */
	void *meanwhile_arg;
	char error[256]; /* of the last call that failed */
};

/* ctl.c: sets the text of compel_error(); NULL: of a compel_ctl that could not be opened. Returns @err. */
__attribute__((format(printf, 3, 4))) int ctl_set_error(struct compel_ctl *ctl, int err, const char *format, ...);

/* session.c: compel_open, or with @after, for compel_finish_begin. */
int ctl_open(pid_t tid, const struct compel_thread_state *after, struct compel_ctl **ret_ctl);

/*
 * state.c: the registers to be set last. The kernel examines the restart code in them when the thread leaves its stop,
 * because it is detached or because its tracer has died, but not if it is resumed from a system call stop in another
 * way. In user mode, thus in a cave or signal frame, they would make no sense.
 */
void state_final_regs(pid_t tid, const struct compel_thread_state *state, struct compel_regs *ret_regs);

/*
 * handlers.c: at the stub and at the end of a dead tracer's cave signals may not be blocked, so that a handler may have
 * interrupted it there. Lets such handlers return to where the cave would have continued: nothing refers to it any more,
 * neither now nor in an image. @bytes: the content of the cave, which is at @cave. All threads must have been stopped.
 */
int handlers_skip_cave(struct compel_ctl *ctl, uint64_t cave, const void *bytes);

/* place.c: location of the caves */

int ctl_read_maps(struct compel_ctl *ctl, pid_t tid);
/* In ctl->maps; NULL: none. */
const struct target_map *ctl_map_at(const struct compel_ctl *ctl, uint64_t address);
/* Finds space for @len bytes of code in ctl->maps, and sets ctl->cave. -ENOEXEC if there is none. */
int cave_place(struct compel_ctl *ctl, size_t len);
/* Where in our own vDSO there is space for one cave: offset in it; 0: nowhere. */
uint64_t cave_in_own_vdso(void);
/* -EAGAIN if the thread is in the cave or scratch area of a dead tracer. */
int cave_occupied(pid_t tid, uint64_t ip);
/*
 * The same for a thread that we stopped, including scratch areas. *free_ip is the position of the last thread that was
 * in none of them: most threads of a process wait in the same place. Initially 0; no thread may run meanwhile.
 */
bool thread_occupies(struct compel_ctl *ctl, pid_t tid, uint64_t *free_ip);
/*
 * leftover.c: runs threads that are in code of a dead tracer until they have left it, and stops them again. Reads the
 * maps.
 */
int leftovers_finish(struct compel_ctl *ctl, pid_t tid);
/* An address with @len free bytes according to ctl->maps, not adjacent to any mapping, so that none merges with it. */
int scratch_place(const struct compel_ctl *ctl, size_t len, uint64_t *ret_address);

/* At the start of the scratch area, and of its executable part. */
struct scratch_head {
	uint32_t busy; /* a thread other than the main one is in it: the cure waits */
	uint32_t zero;
	uint64_t magic;
};
#define SCRATCH_MAGIC 0x7463617263736c63ull

/* call.c: borrowing a thread, running code in it, restoring it */

/* Determines the state that the cure of thread @b->tid restores, from @snapshot (read if NULL). */
int thread_prepare(struct compel_ctl *ctl, struct borrowed *b, const struct compel_snapshot *snapshot);
int thread_borrow(struct compel_ctl *ctl, struct borrowed *b);
int thread_restore(struct compel_ctl *ctl, struct borrowed *b);
/* A system call to be injected into a borrowed thread, and its undo if we die. */
struct injected_call {
	long nr;
	const unsigned long *args; /* six */
	const struct cure *cure;
};
int thread_call(struct compel_ctl *ctl, struct borrowed *b, const struct injected_call *call, long *ret_value);
/* Runs the blob's entry in a borrowed thread. */
int thread_enter(struct compel_ctl *ctl, struct borrowed *b, const struct cure *cure, unsigned int command,
		 long *ret_value);
