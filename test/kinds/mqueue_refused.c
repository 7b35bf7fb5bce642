// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages in an unlinked queue cannot be read without removing them: refused by name, and still queued.
 * test: refused='fd.*\b300\b.*message.queue./gone.*1.messages'
 */
#include "checkpoint.h"
#include <mqueue.h>

int main(int argc, char **argv)
{
	struct mq_attr attr = { .mq_maxmsg = 7, .mq_msgsize = 77 };
	char buf[77] = "";
	mqd_t q;

	test_init(argc, argv);
	q = mq_open("/gone", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	need(dup2(q, 300) == 300 && !mq_close(q) && !mq_unlink("/gone") && !mq_send(300, "stays", 5, 2), "queue");
	if (checkpoint_here())
		mq_receive(300, buf, sizeof(buf), NULL);
	check(mq_receive(300, buf, sizeof(buf), NULL) == 5 && !strcmp(buf, "stays"), "message %s", buf);
	test_done();
}
