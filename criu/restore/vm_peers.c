// SPDX-License-Identifier: GPL-2.0-only
#include "restore/vm_peers.h"
#include <compel/jump.h>
#include <compel/syscall.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include "util/log.h"

/* Address space, with the struct at its bottom; unused pages cost nothing. */
#define STACK_SIZE (1ul << 20)

enum turn { TURN_OURS, TURN_ITS, TURN_GONE };

/* Both sides wait by direct system calls: libc's would write to errno, which belongs to the one that is running. */
static void wait_turn(struct vm_peer *s, enum turn while_it_is)
{
	struct timespec bound = { .tv_nsec = 200000000 };

	if (sys_call6(__NR_futex, (long)&s->turn, FUTEX_WAIT, while_it_is, (long)&bound, 0, 0) != -ETIMEDOUT)
		return;
	/* The tool has died, and the process that we wait for may have, too. */
	if (shared_tool_ended(s->r->shared))
		sys_call1(__NR_exit_group, 1);
}

static void give_turn(struct vm_peer *s, enum turn whose)
{
	atomic_store(&s->turn, whose);
	sys_call6(__NR_futex, (long)&s->turn, FUTEX_WAKE, 1, 0, 0, 0);
}

static void take_step(struct vm_peer *s)
{
	LOG_SCOPE("pid %d (%s)", s->rt->t.pid, s->rt->t.comm);

	s->r->process.task = s->rt;
	log_set_pid(s->rt->t.pid);
	s->result = s->step(s->r, s->rt);
}

static int vm_peer_main(void *arg)
{
	struct vm_peer *s = arg;
	struct wire_thread *leader;

	/*
	 * Like every task of a restore (fork.c), but before the first turn: the process that would grant it may be
	 * killed.
	 */
	sys_call5(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;) {
		enum turn turn = atomic_load(&s->turn);

		if (turn == TURN_GONE)
			break;
		if (turn == TURN_OURS) {
			wait_turn(s, TURN_OURS);
			continue;
		}
		take_step(s);
		give_turn(s, TURN_OURS);
	}
	leader = (struct wire_thread *)(uintptr_t)s->wire->threads;
	compel_jump(s->entry, leader->stack + leader->stack_size, RESTORER_VM_PEER, s->wire);
}

long vm_peer_make(struct restore *r, struct restore_task *rt, struct clone_args *args)
{
	char *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vm_peer *s = (struct vm_peer *)stack;
	long pid;

	if (stack == MAP_FAILED)
		return -errno;
	*s = (struct vm_peer){ .next = r->process.vm_peers, .r = r, .rt = rt };
	/* The tool learns its pid as soon as it exists, so that it can kill it. */
	args->flags |= CLONE_VM;
	/* In a nested pid namespace that is another number: the task stores it. */
	if (!r->process.task->t.pid_ns)
		args->flags |= CLONE_PARENT_SETTID;
	args->parent_tid = (uintptr_t)&r->shared->tasks[rt->t.index].pid;
	args->stack = (uintptr_t)stack;
	args->stack_size = STACK_SIZE;
	pid = compel_clone(args, sizeof(*args), vm_peer_main, s);
	if (pid < 0)
		munmap(stack, STACK_SIZE);
	else
		r->process.vm_peers = s;
	return pid;
}

static int run(struct vm_peer *s, restore_step step)
{
	struct restore *r = s->r;
	struct restore_task *self = r->process.task;

	s->step = step;
	give_turn(s, TURN_ITS);
	/* If it dies, the tool kills us all. */
	while (atomic_load(&s->turn) == TURN_ITS)
		wait_turn(s, TURN_ITS);
	r->process.task = self;
	log_set_pid(self->t.pid);
	return s->result;
}

int vm_peer_run(struct restore *r, restore_step step)
{
	return run(r->process.vm_peers, step);
}

int vm_peers_run(struct restore *r, struct restore_task *rt, restore_step step)
{
	int err = 0;

	for (struct vm_peer *s = r->process.vm_peers; !err && s; s = s->next)
		err = run(s, step);
	return err ? err : step(r, rt);
}

void vm_peers_leave(struct restore *r, uint64_t entry)
{
	for (struct vm_peer *s = r->process.vm_peers; s; s = s->next) {
		s->entry = entry;
		s->wire = (struct wire_task *)(uintptr_t)r->shared->tasks[s->rt->t.index].wire;
		give_turn(s, TURN_GONE);
	}
	r->process.vm_peers = NULL;
}
