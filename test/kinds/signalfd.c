// SPDX-License-Identifier: GPL-2.0-only
/* test: breaks=2 decode=yes */
#include "checkpoint.h"
#include <sys/signalfd.h>

int main(int argc, char **argv)
{
	struct signalfd_siginfo si;
	sigset_t one, two, all;
	int a, b, brk;

	test_init(argc, argv);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigemptyset(&two);
	sigaddset(&two, SIGRTMIN + 3);
	sigaddset(&two, SIGRTMAX);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	a = signalfd(-1, &one, SFD_NONBLOCK | SFD_CLOEXEC);
	b = signalfd(-1, &two, 0);
	need(a >= 0 && b >= 0, "signalfd");
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = i });
	kill(getpid(), SIGUSR2);

	brk = checkpoint_here();
	if (brk == 1)
		signalfd(b, &one, 0);
	if (brk == 2)
		need(read(b, &si, sizeof(si)) == sizeof(si), "break");

	check(fcntl(a, F_GETFD) == FD_CLOEXEC && fcntl(a, F_GETFL) & O_NONBLOCK && !(fcntl(b, F_GETFL) & O_NONBLOCK),
	      "flags");
	check(read(a, &si, sizeof(si)) < 0 && errno == EAGAIN, "a signal not in the mask");
	fcntl(b, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 5; i++)
		check(read(b, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == (uint32_t)SIGRTMIN + 3 &&
			      si.ssi_int == i,
		      "signal %u value %d", si.ssi_signo, si.ssi_int);
	raise(SIGUSR1);
	check(read(a, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR1, "new signal");
	raise(SIGRTMAX);
	check(read(b, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == (uint32_t)SIGRTMAX, "new real-time signal");
	test_done();
}
