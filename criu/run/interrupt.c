/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/interrupt.h"
#include <poll.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <time.h>
#include "base/bits.h"
#include "base/cleanup.h"

static void add_unless_ignored(sigset_t *set, int sig)
{
	struct sigaction sa;

	if (!sigaction(sig, NULL, &sa) && sa.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

void interrupt_signals(sigset_t *ret_set)
{
	static const int ending[] = {
		SIGINT,	   SIGTERM, SIGHUP,    SIGQUIT, SIGUSR1, SIGUSR2,
		SIGALRM,   SIGXCPU, SIGVTALRM, SIGPROF, SIGIO,	 SIGPWR,
#ifdef SIGSTKFLT
		SIGSTKFLT,
#endif
	};

	/* Signals that are ignored by inheritance stay ignored: queried once. */
	static sigset_t known;
	static bool is_known;

	if (!is_known) {
		sigemptyset(&known);
		for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
			add_unless_ignored(&known, ending[i]);
		for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
			add_unless_ignored(&known, sig);
		is_known = true;
	}
	*ret_set = known;
}

void interrupt_begin(sigset_t *ret_was)
{
	sigset_t set;

	interrupt_signals(&set);
	sigprocmask(SIG_BLOCK, &set, ret_was);
}

void interrupt_end(const sigset_t *was)
{
	while (interrupt_take())
		;
	sigprocmask(SIG_SETMASK, was, NULL);
}

static void leave_it_to_the_write(int sig)
{
}

void interrupt_not_by_writes(void)
{
	static const int of_writes[] = { SIGPIPE, SIGXFSZ };
	/* A handler instead of SIG_IGN, since execve(2) resets it. */
	const struct sigaction nothing = { .sa_handler = leave_it_to_the_write, .sa_flags = SA_RESTART };
	struct sigaction was;

	for (size_t i = 0; i < ARRAY_SIZE(of_writes); i++)
		if (!sigaction(of_writes[i], NULL, &was) && was.sa_handler == SIG_DFL)
			sigaction(of_writes[i], &nothing, NULL);
}

int interrupt_take(void)
{
	struct timespec at_once = { 0 };
	sigset_t set;
	int sig;

	interrupt_signals(&set);
	sig = sigtimedwait(&set, NULL, &at_once);
	return sig > 0 ? sig : 0;
}

void interrupt_wait(int ms)
{
	struct pollfd asked = { .events = POLLIN };
	sigset_t set;

	interrupt_signals(&set);
	_cleanup_close_ int fd = signalfd(-1, &set, SFD_CLOEXEC);
	asked.fd = fd;
	poll(&asked, 1, ms);
}
