// SPDX-License-Identifier: GPL-2.0-only
/*
 * A POSIX queue of an IPC namespace that no process has open has a message, which cannot be read without removing it:
 * refused by name, and still queued.
 * test: refused='message.queue./waiting.of.its.IPC.namespace.has.1.messages.*receive.them.first'
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <sched.h>

int main(int argc, char **argv)
{
	struct mq_attr attr = { .mq_maxmsg = 7, .mq_msgsize = 77 };
	char buf[77] = "";
	mqd_t q;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	q = mq_open("/waiting", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	need(q >= 0 && !mq_send(q, "stays", 5, 2) && !mq_close(q), "queue");
	if (checkpoint_here())
		mq_unlink("/waiting");
	q = mq_open("/waiting", O_RDONLY | O_NONBLOCK);
	check(mq_receive(q, buf, sizeof(buf), NULL) == 5 && !strcmp(buf, "stays"), "message %s", buf);
	test_done();
}
