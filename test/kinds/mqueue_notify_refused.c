// SPDX-License-Identifier: GPL-2.0-only
/*
 * A registration for notification (mq_notify) contains a value that cannot be read: refused by name.
 * test: refused='fd.*\b300\b.*message.queue./notified.*mq_notify'
 */
#include "checkpoint.h"
#include <mqueue.h>

int main(int argc, char **argv)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7 };
	siginfo_t info = { 0 };
	sigset_t set;
	mqd_t q;

	test_init(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	q = mq_open("/notified", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	/* Closing any descriptor of the queue would end the registration. */
	need(dup2(q, 300) == 300 && !mq_close(q) && !mq_notify(300, &event), "queue");
	if (checkpoint_here())
		mq_notify(300, NULL);
	check(!mq_send(300, "x", 1, 0), "send");
	check(sigtimedwait(&set, &info, &(struct timespec){ 5, 0 }) == SIGUSR1 && info.si_value.sival_int == 7,
	      "the signal: value %d", info.si_value.sival_int);
	test_done();
}
