// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners of descriptors: O_ASYNC on a pipe and a terminal; the right task, group, signal and credentials.
 * test: flavours=host,pid,nested breaks=1
 */
#include "checkpoint.h"

static volatile sig_atomic_t got;
static volatile int got_fd;

static void on_io(int sig, siginfo_t *si, void *uc)
{
	got++;
	got_fd = si->si_fd;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_io, .sa_flags = SA_SIGINFO };
	struct f_owner_ex owner;
	int p[2], q[2];

	test_init(argc, argv);
	sigaction(SIGRTMIN + 4, &sa, NULL);
	need(!pipe(p) && !pipe(q), "pipes");
	need(!fcntl(p[0], F_SETOWN, getpid()) && !fcntl(p[0], F_SETSIG, SIGRTMIN + 4) &&
		     !fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK),
	     "owner");
	need(!fcntl(q[0], F_SETOWN, -getpgrp()), "owner group");
	if (checkpoint_here())
		fcntl(p[0], F_SETFL, 0);
	check(fcntl(p[0], F_GETFL) & O_ASYNC, "flags %#x", fcntl(p[0], F_GETFL));
	check(!fcntl(q[0], F_GETOWN_EX, &owner) && owner.type == F_OWNER_PGRP && owner.pid == getpgrp(), "owner %d %d",
	      owner.type, owner.pid);
	check(!got, "a signal too early");
	check(write(p[1], "x", 1) == 1, "write");
	for (int i = 0; i < 1000 && !got; i++)
		sleep_ms(1);
	check(got == 1 && got_fd == p[0], "%d signals, descriptor %d", (int)got, got_fd);
	test_done();
}
