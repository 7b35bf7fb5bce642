/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that share one memory, including libc's data (errno, buffers): after the checkpoint only one of them runs
 * at a time, in turn.
 */
#ifndef SHARE_VM_H
#define SHARE_VM_H

#include "checkpoint.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PEERS 16

struct vm_peer {
	volatile int ready, turn;
	pid_t pid;
	int (*fn)(int nr); /* verifies; returns the exit status */
	void (*prepare)(int nr);
};
static struct vm_peer peers[PEERS];

static int vm_peer_main(void *arg)
{
	int nr = (int)(intptr_t)arg;
	volatile int on_stack = nr * 1000 + 7;

	if (peers[nr].prepare)
		peers[nr].prepare(nr);
	peers[nr].ready = 1;
	while (!peers[nr].turn)
		sleep_ms(1);
	check(on_stack == nr * 1000 + 7, "peer %d: its stack says %d", nr, on_stack);
	/* All its threads. */
	syscall(SYS_exit_group, peers[nr].fn(nr));
	return 0;
}

/* It prepares while its parent waits, then waits for its turn. */
static pid_t share_memory(int nr, int flags, void (*prepare)(int nr), int (*fn)(int nr))
{
	char *stack = map_anon(256 << 10, MAP_PRIVATE);

	peers[nr].fn = fn;
	peers[nr].prepare = prepare;
	peers[nr].pid = clone(vm_peer_main, stack + (256 << 10), CLONE_VM | flags, (void *)(intptr_t)nr);
	need(peers[nr].pid > 0, "clone %d with flags %#x: %s", nr, flags, strerror(errno));
	while (!peers[nr].ready)
		sleep_ms(1);
	return peers[nr].pid;
}

static void await_end(int nr, int options)
{
	int status = -1;
	pid_t got = waitpid(peers[nr].pid, &status, options);

	check(got == peers[nr].pid && WIFEXITED(status) && WEXITSTATUS(status) == 40 + nr,
	      "peer %d (%d): wait gives %d, status %#x", nr, peers[nr].pid, got, status);
}

/* Its turn, until its exit. */
static void take_turn(int nr, int options)
{
	peers[nr].turn = 1;
	await_end(nr, options);
}

#endif
