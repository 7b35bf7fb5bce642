/* SPDX-License-Identifier: LGPL-2.1-only */
/* One address space that we run code in. Inside the library only. */
#pragma once
#include "arch.h"
#include "target.h"

/* A thread whose registers are borrowed: what it gets back, and its cave. */
struct borrowed {
	pid_t tid;
	bool parked; /* the cave is filled and the registers point to it */
	uint64_t cave;
	struct compel_regs own; /* as the kernel showed them: what a living tracer puts back */
	struct compel_regs goal; /* what the cure puts back: a system call is set up to restart by then */
	uint64_t mask;
	bool aborted; /* out of an rseq critical section */
	int cpu; /* it ran on last, and will while we wake it from there */
	int yield_signal; /* of no effect to it, and not blocked; 0 if there is none */
	struct cure cure; /* for calls that do not say otherwise */
};

struct compel_ctl {
	int mem;
	uint64_t cave, cave_len; /* room for two: the main thread's and another's */
	struct target_map *maps; /* as ctl_read_maps found them last: rising */
	size_t nr_maps;
	struct borrowed main;
	bool left_inside; /* a thread did not get its registers back: its cure is all it has */
	bool restoring; /* a process of our own making, whose filter is known to let it be finished */
	/* The scratch of compel_infect; len 0 when there is none. */
	uint64_t scratch, scratch_len;
	uint64_t args, args_len, stack, gate, blob, entry;
	struct cpu_pin pin; /* where the thread is that was run last: until the cure */
	void (*meanwhile)(void *arg); /* of compel_command_with: called at the next resume */
	void *meanwhile_arg;
	char error[256]; /* of the last call that failed */
};

/* ctl.c: the text that compel_error() gives; NULL: of a compel_ctl that could not be opened. Returns @err. */
__attribute__((format(printf, 3, 4))) int ctl_set_error(struct compel_ctl *ctl, int err, const char *format, ...);

/* session.c: compel_open, and with @after as compel_finish_begin wants it. */
int ctl_open(pid_t tid, const struct compel_thread_state *after, struct compel_ctl **ret_ctl);

/* place.c: where the caves lie */

int ctl_read_maps(struct compel_ctl *ctl, pid_t tid);
/* Find room for @len bytes of code in ctl->maps. -ENOEXEC when there is none. Fills ctl->cave. */
int cave_place(struct compel_ctl *ctl, size_t len);
/* Is the thread inside what a dead tracer left: its cave, or its scratch? -EAGAIN then. */
int cave_occupied(pid_t tid, uint64_t ip);
/*
 * The same for a thread that we stopped, scratches included. *free_ip is where the last one was that is in none of them:
 * most threads of a process wait in the same place. 0 at first; nobody may run meanwhile.
 */
bool thread_occupies(struct compel_ctl *ctl, pid_t tid, uint64_t *free_ip);
/* leftover.c: let threads go on that are inside what a dead tracer left, until they are out and stopped again. Reads the maps. */
int leftovers_run_out(struct compel_ctl *ctl, pid_t tid);
/* An address where @len bytes are free by ctl->maps, away from every mapping, so that none merges with it. */
int scratch_place(const struct compel_ctl *ctl, size_t len, uint64_t *ret_address);

/* At the head of the scratch, and of its executable part. */
struct scratch_head {
	uint32_t busy; /* another thread than the main one is inside: the cure waits */
	uint32_t zero;
	uint64_t magic;
};
#define SCRATCH_MAGIC 0x7463617263736c63ull

/* call.c: borrow a thread, run things in it, give it back */

/* Decide from what the thread @b->tid has (@snapshot, read if NULL) what its cure is to give back. */
int thread_remember(struct compel_ctl *ctl, struct borrowed *b, const struct compel_snapshot *snapshot);
int thread_borrow(struct compel_ctl *ctl, struct borrowed *b);
int thread_give_back(struct compel_ctl *ctl, struct borrowed *b);
/* A system call to be made in a borrowed thread, and what undoes it should we die. */
struct injected_call {
	long nr;
	const unsigned long *args; /* six */
	const struct cure *cure;
};
int thread_call(struct compel_ctl *ctl, struct borrowed *b, const struct injected_call *call, long *ret_value);
/* Run the blob's entry in a borrowed thread. */
int thread_enter(struct compel_ctl *ctl, struct borrowed *b, const struct cure *cure, unsigned int command,
		 long *ret_value);
