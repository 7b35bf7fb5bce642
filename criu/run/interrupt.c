/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/interrupt.h"
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include "base/bits.h"
#include "base/cleanup.h"

void interrupt_signals(sigset_t *ret_set)
{
	static const int asking[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa;

	sigemptyset(ret_set);
	for (size_t i = 0; i < ARRAY_SIZE(asking); i++)
		if (!sigaction(asking[i], NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(ret_set, asking[i]);
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
