// SPDX-License-Identifier: GPL-2.0-only
/*
 * A notification by a new thread (mq_notify, SIGEV_THREAD) depends on a socket of libc: refused by name.
 * test: refused='fd.*message.queue./notified.*mq_notify.*SIGEV_THREAD'
 */
#include "checkpoint.h"
#include <dirent.h>
#include <mqueue.h>
#include <sys/syscall.h>

static volatile int called;

static void notified(union sigval value)
{
	called = value.sival_int;
}

/* That of libc, which waits for the socket. */
static pid_t helper(void)
{
	DIR *dir = opendir("/proc/self/task");
	pid_t tid = 0;

	need(dir, "threads");
	for (const struct dirent *e; (e = readdir(dir));)
		if (atoi(e->d_name) && atoi(e->d_name) != getpid())
			tid = atoi(e->d_name);
	closedir(dir);
	need(tid, "libc has no thread for notifications");
	return tid;
}

int main(int argc, char **argv)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = notified,
				  .sigev_value.sival_int = 7 };
	mqd_t q;

	test_init(argc, argv);
	q = mq_open("/notified", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	need(!mq_unlink("/notified") && !mq_notify(q, &event), "queue");
	await_syscall(helper(), SYS_recvfrom);
	if (checkpoint_here())
		mq_notify(q, NULL);
	check(!mq_send(q, "x", 1, 0), "send");
	for (int i = 0; i < 5000 && !called; i++)
		sleep_ms(1);
	check(called == 7, "called with %d", called);
	test_done();
}
