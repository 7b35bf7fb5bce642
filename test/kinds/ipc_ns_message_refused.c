// SPDX-License-Identifier: GPL-2.0-only
/*
 * A message that is larger than its namespace allows by now cannot be read without removing it: refused by name.
 * test: refused='message.2.of.System.V.queue.\d+.*larger.than.kernel.msgmax.*raise.kernel.msgmax'
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/msg.h>

int main(int argc, char **argv)
{
	struct {
		long type;
		char data[6000];
	} m = { .type = 5 };
	int queue;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	queue = msgget(IPC_PRIVATE, 0600);
	need(queue >= 0 && !msgsnd(queue, &m, 10, 0) && !msgsnd(queue, &m, sizeof(m.data), 0), "messages");
	write_file("/proc/sys/kernel/msgmax", "5000");
	if (checkpoint_here())
		msgctl(queue, IPC_RMID, NULL);
	check(msgrcv(queue, &m, sizeof(m.data), 0, IPC_NOWAIT) == 10 &&
		      msgrcv(queue, &m, sizeof(m.data), 0, IPC_NOWAIT) == sizeof(m.data),
	      "messages");
	test_done();
}
