// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unlinked queue that a process outside the tree has open, too: refused by name.
 * test: refused='message.queue./shared.is.unlinked.*process.[0-9]+.*outside.the.tree.*fd.3'
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <sys/wait.h>

/* Until the test ends. */
static void stay(pid_t test)
{
	while (!kill(test, 0))
		sleep_ms(20);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 10 };
	int ends[2], status;
	pid_t pid, test = getpid();
	char c;
	mqd_t q;

	test_init(argc, argv);
	q = mq_open("/shared", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	need(q == 3 && !mq_unlink("/shared") && !pipe(ends), "queue");
	pid = fork();
	if (!pid) {
		if (fork())
			_exit(0);
		close(ends[0]);
		setsid();
		need(write(ends[1], "x", 1) == 1 && !close(ends[1]), "tell");
		stay(test);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid && read(ends[0], &c, 1) == 1, "a process outside the tree");
	close(ends[0]);
	close(ends[1]);
	checkpoint_here();
	check(!mq_send(q, "x", 1, 0), "send");
	test_done();
}
