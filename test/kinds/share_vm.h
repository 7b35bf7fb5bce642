/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that live in one memory: libc's part of it (errno, buffers) is one, too, so after the checkpoint one of
 * them runs at a time: the one whose turn it is.
 */
#ifndef SHARE_VM_H
#define SHARE_VM_H

#include "checkpoint.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SHARERS 16

struct sharer_of_test {
	volatile int ready, turn;
	pid_t pid;
	int (*fn)(int nr); /* verifies; what it returns is the exit status */
	void (*prepare)(int nr);
};
static struct sharer_of_test sharers[SHARERS];

static int vm_peer_main(void *arg)
{
	int nr = (int)(intptr_t)arg;
	volatile int on_stack = nr * 1000 + 7;

	if (sharers[nr].prepare)
		sharers[nr].prepare(nr);
	sharers[nr].ready = 1;
	while (!sharers[nr].turn)
		sleep_ms(1);
	check(on_stack == nr * 1000 + 7, "sharer %d: its stack says %d", nr, on_stack);
	/* All its threads. */
	syscall(SYS_exit_group, sharers[nr].fn(nr));
	return 0;
}

/* It prepares while its maker waits, then waits for its turn. */
static pid_t share_memory(int nr, int flags, void (*prepare)(int nr), int (*fn)(int nr))
{
	char *stack = map_anon(256 << 10, MAP_PRIVATE);

	sharers[nr].fn = fn;
	sharers[nr].prepare = prepare;
	sharers[nr].pid = clone(vm_peer_main, stack + (256 << 10), CLONE_VM | flags, (void *)(intptr_t)nr);
	need(sharers[nr].pid > 0, "clone %d with flags %#x: %s", nr, flags, strerror(errno));
	while (!sharers[nr].ready)
		sleep_ms(1);
	return sharers[nr].pid;
}

static void await_end(int nr, int options)
{
	int status = -1;
	pid_t got = waitpid(sharers[nr].pid, &status, options);

	check(got == sharers[nr].pid && WIFEXITED(status) && WEXITSTATUS(status) == 40 + nr,
	      "sharer %d (%d): wait gives %d, status %#x", nr, sharers[nr].pid, got, status);
}

/* Its turn; then its end. */
static void take_turn(int nr, int options)
{
	sharers[nr].turn = 1;
	await_end(nr, options);
}

#endif
